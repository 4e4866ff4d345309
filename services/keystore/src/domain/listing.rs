//! What an account sees of its devices, and how it calls them; what operators see of them.

use std::collections::HashMap;

use common::models::events::PreKeyKind;
use common::models::internal::SeenDevices;
use common::models::operators::{AccountKind, DeviceFacts, DeviceKeys, PreKeysLeft};
use common::models::{AccountId, DeviceId, UnixMillis};
use db::{DbConn, DbError};
use service::operators::{Act, AuditTable};

use super::{KeystoreError, signal_server};
use crate::app::State;
use crate::store::rows::{DeviceRow, DeviceState};
use crate::store::{devices, one_time};

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

/// Tells an operator of the devices of an account, on their way in or out too, and how their keys do.
///
/// # Errors
/// Those of the database.
pub(crate) async fn facts(state: &State, account: AccountId, act: Act) -> Result<DeviceKeys, KeystoreError> {
    let now = state.clock.now();
    let reading = state.db.write(move |conn| {
        AuditTable::ADMIN.add(conn, &act, now)?;
        let mut found = Vec::new();
        for device in devices::of_account(conn, account)? {
            found.push(facts_of(conn, device)?);
        }
        found.extend(signal_server::facts(conn, account)?);
        Ok::<_, KeystoreError>(DeviceKeys { devices: found })
    });
    reading.await
}

fn facts_of(conn: &mut DbConn, device: DeviceRow) -> Result<DeviceFacts, DbError> {
    let (account, id) = (device.account_id, device.device_id);
    let mut pre_keys = Vec::with_capacity(2);
    for kind in [PreKeyKind::Ec, PreKeyKind::Pq] {
        pre_keys.push(PreKeysLeft { kind, left: one_time::count(conn, account, id, kind)? });
    }
    Ok(DeviceFacts {
        kind: AccountKind::Native,
        device_id: id,
        state: device.state.as_str().to_owned(),
        created_at: device.created_at,
        pre_keys,
        rotated_at: Some(device.signed_at),
        last_resort_served: Some(device.last_resort_served),
    })
}
