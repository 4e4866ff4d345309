//! What an account sees of its devices, and how it calls them.

use std::collections::HashMap;

use common::models::internal::SeenDevices;
use common::models::{AccountId, DeviceId, UnixMillis};

use super::KeystoreError;
use crate::app::State;
use crate::store::devices;
use crate::store::rows::{DeviceRow, DeviceState};

/// Lists the devices in use, each with the day on which it was last seen, if that can be told now.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(
    state: &State,
    account: AccountId,
) -> Result<Vec<(DeviceRow, Option<UnixMillis>)>, KeystoreError> {
    let (all, seen) = tokio::join!(
        state.db.read(move |conn| devices::of_account(conn, account)),
        state.auth.seen_devices(account),
    );
    let seen = seen.unwrap_or_else(|error| {
        tracing::warn!(%error, "devices are listed without when they were last seen");
        SeenDevices::default()
    });
    let seen: HashMap<DeviceId, UnixMillis> =
        seen.devices.into_iter().map(|device| (device.device_id, device.seen_at)).collect();
    let active = all?.into_iter().filter(|device| device.state == DeviceState::Active);
    let with_day = |device: DeviceRow| {
        let day = seen.get(&device.device_id).copied();
        (device, day)
    };
    Ok(active.map(with_day).collect())
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
