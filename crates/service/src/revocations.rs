//! Account events as the gate and the other pods have to know them.

use std::time::Duration;

use bus::live::{Live, LiveEvent};
use common::models::UnixMillis;
use common::models::events::{AccountChange, AccountEvent};
use web::Gate;

/// The longest life that an access token may have; auth refuses settings beyond it. A revocation is kept for as long,
/// counted from the event.
pub const MAX_ACCESS_TTL: Duration = Duration::from_secs(3600);

/// The kind of the broadcasts that carry an [`AccountEvent`] (JSON) to every pod.
pub const ACCOUNT_EVENT_KIND: &str = "account-event";

/// Refuses the access tokens that `event` makes void; tells whether it is an event of that sort.
pub(crate) fn revoke(gate: &Gate, event: &AccountEvent, now: UnixMillis) -> bool {
    let until = event.at + MAX_ACCESS_TTL;
    // The oldest records of a topic are read again by a new group: their tokens are long dead.
    if until <= now {
        return false;
    }
    match &event.change {
        AccountChange::Deleted => gate.revoke_account(event.account_id, until),
        AccountChange::DeviceRemoved { device_id, session_id: Some(session), .. } => {
            gate.revoke_device_of((*session, *device_id), until);
        }
        AccountChange::DeviceRemoved { device_id, session_id: None, .. } => {
            gate.revoke_device((event.account_id, *device_id), event.at, until);
        }
        AccountChange::SessionRevoked { session_id } => gate.revoke_session(*session_id, until),
        AccountChange::KeysLow { .. } | AccountChange::KeysStocked { .. } => return false,
    }
    true
}

/// Tells every pod, this one included. A pod that misses it reads the revocations from auth anew.
pub(crate) fn broadcast(live: &Live, event: &AccountEvent) {
    match serde_json::to_vec(event) {
        Ok(payload) => {
            live.broadcast(LiveEvent::new(event.account_id.to_bytes().to_vec(), ACCOUNT_EVENT_KIND, payload));
        }
        Err(error) => tracing::error!(%error, "an account event cannot be written as JSON"),
    }
}
