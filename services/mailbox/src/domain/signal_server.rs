//! Messages of signal_server: a queue for each account's device, apart from the mailboxes of our own devices.
//!
//! In: openings and closings by keystore, messages for the device that an account has. Out: all that waits, until its
//! owner deletes it.
//!
//! What must hold: a message that was answered is on disk; it is for the device that the sender has encrypted it to; what
//! a device has sent stays with the recipients when it goes.

mod error;
mod lives;
mod queue;
mod send;

use common::models::{AccountId, SignalServerId};

pub(crate) use self::error::SignalServerError;
pub(crate) use self::lives::{close, open};
pub(crate) use self::queue::{Removal, expire, list, remove};
pub(crate) use self::send::{Outgoing, Sender, Terms, check, send};
use crate::app::State;
use crate::store::signal_server::devices::{self, DeviceRow};

/// Checks that the caller's device is the one that the caller believes it to be; `registration_id` is none for a number
/// that no device can have.
///
/// # Errors
/// [`SignalServerError::NoDevice`], [`SignalServerError::DeviceChanged`].
pub(crate) async fn check_own(
    state: &State,
    account: AccountId,
    registration_id: Option<SignalServerId>,
) -> Result<(), SignalServerError> {
    let found = state.db.read(move |conn| devices::find(conn, account)).await?;
    meant(found, registration_id).map(drop)
}

/// The caller's device, if there is one and it is meant.
fn meant(
    device: Option<DeviceRow>,
    registration_id: Option<SignalServerId>,
) -> Result<DeviceRow, SignalServerError> {
    let device = device.ok_or(SignalServerError::NoDevice)?;
    if registration_id == Some(device.registration_id) {
        Ok(device)
    } else {
        Err(SignalServerError::DeviceChanged)
    }
}
