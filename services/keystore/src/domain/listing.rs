//! What an account sees of its devices, and how it calls them.

use common::models::{AccountId, DeviceId};

use super::KeystoreError;
use crate::app::State;
use crate::store::devices;
use crate::store::rows::{DeviceRow, DeviceState};

/// Lists the devices in use.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(state: &State, account: AccountId) -> Result<Vec<DeviceRow>, KeystoreError> {
    let mut all = state.db.read(move |conn| devices::of_account(conn, account)).await?;
    all.retain(|device| device.state == DeviceState::Active);
    Ok(all)
}

/// Gives a device in use another name, or none.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn rename(
    state: &State,
    account: AccountId,
    device: DeviceId,
    name: Option<String>,
) -> Result<(), KeystoreError> {
    let found = state.db.write(move |conn| devices::rename(conn, account, device, name.as_deref())).await?;
    if found { Ok(()) } else { Err(KeystoreError::NoDevice) }
}
