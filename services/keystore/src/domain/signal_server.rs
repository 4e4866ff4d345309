//! Devices of signal_server: one for each account, with prekeys that are given out one to each fetcher.
//!
//! They are a world of their own beside our devices: neither sees the other. Keys are kept as the text that was sent.
//!
//! What must hold: a prekey is given to one fetcher, ever; a device is seen only while mailbox has its queue open; the
//! signed prekey is never missing; of several that register at once one does.

mod error;
mod fetch;
mod keys;
mod merge;
mod prekeys;
mod registration;
mod removal;

use common::models::events::PreKeyKind;
use common::models::operators::{AccountKind, DeviceFacts, PreKeysLeft};
use common::models::{AccountId, DeviceId, SignalServerId};
use db::{DbConn, DbError};

pub(crate) use self::error::SignalServerError;
pub(crate) use self::fetch::{Bundle, Found, fetch, serve};
pub(crate) use self::keys::{KEY_CHARACTERS, KeyRules, Prekey, SIGNATURE_CHARACTERS, SignedPrekey};
pub(crate) use self::prekeys::{set_signed, upload};
pub(crate) use self::registration::{NewDevice, finish_opening, refuse_second, register};
pub(crate) use self::removal::{erase, finish_closing, remove};
use crate::app::State;
use crate::store::rows::DeviceState;
use crate::store::signal_server::rows::DeviceRow;
use crate::store::signal_server::{devices, prekeys as waiting_prekeys};

/// The id that others know the one device of an account by.
const ONLY_DEVICE: i64 = 1;

/// Reads the caller's device; `registration_id` is what the caller believes it to be, none if it can be nobody's.
///
/// # Errors
/// [`SignalServerError::NoDevice`], [`SignalServerError::DeviceChanged`].
pub(crate) async fn own(
    state: &State,
    account: AccountId,
    registration_id: Option<SignalServerId>,
) -> Result<DeviceRow, SignalServerError> {
    let found = state.db.read(move |conn| devices::standing(conn, account)).await?;
    in_use(found, registration_id)
}

/// The device, if it is in use and the one that is meant.
fn in_use(
    device: Option<DeviceRow>,
    registration_id: Option<SignalServerId>,
) -> Result<DeviceRow, SignalServerError> {
    let device =
        device.filter(|device| device.state == DeviceState::Active).ok_or(SignalServerError::NoDevice)?;
    if registration_id == Some(device.registration_id) {
        Ok(device)
    } else {
        Err(SignalServerError::DeviceChanged)
    }
}

/// Tells an operator of the device of an account that is not on its way out.
pub(super) fn facts(conn: &mut DbConn, account: AccountId) -> Result<Option<DeviceFacts>, DbError> {
    let Some(device) = devices::standing(conn, account)? else { return Ok(None) };
    let left = i64::try_from(waiting_prekeys::waiting(conn, account)?.len()).unwrap_or(i64::MAX);
    Ok(Some(DeviceFacts {
        kind: AccountKind::SignalServer,
        device_id: DeviceId::new(ONLY_DEVICE).map_err(DbError::other)?,
        state: device.state.as_str().to_owned(),
        created_at: device.created_at,
        pre_keys: vec![PreKeysLeft { kind: PreKeyKind::Ec, left }],
        rotated_at: None,
        last_resort_served: None,
    }))
}
