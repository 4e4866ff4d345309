//! Keys that an owner adds to a device, and what is left of them.

use common::models::events::PreKeyKind;
use common::models::{AccountId, DeviceId, KeyId, SessionId};
use db::{DbConn, DbError};

use super::KeystoreError;
use super::keys::{self, SignedPreKey, Upload, UploadMode};
use super::merge::{self, Arriving, Held};
use crate::app::State;
use crate::settings::KeystoreSettings;
use crate::store::rows::{DeviceRow, DeviceState, LastResortRow, OneTimeKeyRow};
use crate::store::{accounts, devices, issued, last_resort, one_time};

/// The device that a session speaks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) session: SessionId,
}

/// What a device has waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ec: i64,
    pub(crate) pq: i64,
    pub(crate) last_resort_served: i64,
}

/// What became of an upload.
pub(crate) struct Uploaded {
    pub(crate) counts: Counts,
    /// Keys that had been given out before; they were dropped.
    pub(crate) already_used: Vec<KeyId>,
}

/// Adds keys to the caller's device: all of them, or none.
///
/// # Errors
/// [`KeystoreError::Key`], [`KeystoreError::KeyConflict`], [`KeystoreError::TooManyKeys`]: nothing was stored.
/// [`KeystoreError::NoDevice`] when the device is gone or has another session.
pub(crate) async fn upload(state: &State, owner: Owner, upload: Upload) -> Result<Uploaded, KeystoreError> {
    let (identity, before) = state
        .db
        .read(move |conn| {
            let identity = accounts::identity(conn, owner.account)?.ok_or(KeystoreError::NoDevice)?;
            let device = owned(devices::find(conn, owner.account, owner.device)?, owner)?;
            Ok::<_, KeystoreError>((identity, device.generation))
        })
        .await?;
    let upload = keys::check(identity, upload).await?;
    let settings = state.settings.clone();
    let uploaded = state
        .db
        .write(move |conn| {
            // The same key may be on its way to another device of the account: one of the two finds the other's.
            accounts::lock(conn, owner.account)?;
            let mut device = owned(devices::lock(conn, owner.account, owner.device)?, owner)?;
            // The identity is fixed for a life of the device, and with it what was just verified.
            if device.generation != before {
                return Err(KeystoreError::NoDevice);
            }
            let already_used = store(conn, &mut device, upload, &settings)?;
            devices::update_keys(conn, &device)?;
            Ok(Uploaded { counts: count(conn, &device)?, already_used })
        })
        .await?;
    state.metrics.keys_already_used_total.inc_by(uploaded.already_used.len() as u64);
    Ok(uploaded)
}

/// Counts what the caller's device has waiting.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn counts(state: &State, owner: Owner) -> Result<Counts, KeystoreError> {
    state
        .db
        .read(move |conn| {
            let device = owned(devices::find(conn, owner.account, owner.device)?, owner)?;
            Ok(count(conn, &device)?)
        })
        .await
}

/// Drops the one-time keys that wait at the caller's device: for a client that has lost their private halves.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn reset(state: &State, owner: Owner) -> Result<(), KeystoreError> {
    state
        .db
        .write(move |conn| {
            owned(devices::lock(conn, owner.account, owner.device)?, owner)?;
            for kind in [PreKeyKind::Ec, PreKeyKind::Pq] {
                one_time::delete(conn, owner.account, owner.device, kind)?;
            }
            Ok(())
        })
        .await
}

/// The device, if it is in use and still the session's.
pub(super) fn owned(device: Option<DeviceRow>, owner: Owner) -> Result<DeviceRow, KeystoreError> {
    device
        .filter(|device| device.state == DeviceState::Active && device.session_id == owner.session)
        .ok_or(KeystoreError::NoDevice)
}

fn count(conn: &mut DbConn, device: &DeviceRow) -> Result<Counts, DbError> {
    Ok(Counts {
        ec: one_time::count(conn, device.account_id, device.device_id, PreKeyKind::Ec)?,
        pq: one_time::count(conn, device.account_id, device.device_id, PreKeyKind::Pq)?,
        last_resort_served: device.last_resort_served,
    })
}

/// Stores checked keys: the signed one in `device`, which the caller has locked and stores afterwards, the others in
/// their tables, the one-time ones behind those that wait. Returns the ids of keys that had been given out before.
pub(super) fn store(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    upload: Upload,
    settings: &KeystoreSettings,
) -> Result<Vec<KeyId>, KeystoreError> {
    let Upload { mode, pre_keys, signed_pre_key, pq_pre_keys, pq_last_resort } = upload;
    let (account, id) = (device.account_id, device.device_id);
    if mode == UploadMode::Replace {
        // Before anything is read: a key that is being fetched is remembered by then, one that is not cannot be any more.
        for (kind, is_empty) in
            [(PreKeyKind::Ec, pre_keys.is_empty()), (PreKeyKind::Pq, pq_pre_keys.is_empty())]
        {
            if !is_empty {
                one_time::delete(conn, account, id, kind)?;
            }
        }
    }
    let last_resort = store_last_resort(conn, device, pq_last_resort)?;
    if let Some(key) = signed_pre_key {
        device.signed_key_id = key.key_id;
        device.signed_key = key.public_key;
        device.signed_signature = key.signature;
    }

    let arriving = merge::arriving(pre_keys, pq_pre_keys);
    let ids: Vec<KeyId> = arriving.iter().map(|key| key.key_id).chain(last_resort).collect();
    let hashes: Vec<Vec<u8>> = arriving.iter().map(|key| key.hash.clone()).collect();
    // In this order: a key that is fetched between the two is found by one of them.
    let waiting = one_time::known(conn, (account, id), &ids, &hashes)?;
    let used = issued::among(conn, account, &hashes)?;
    let held = Held { device: id, waiting, used, last_resort };
    let merged = merge::merge(&held, arriving).map_err(KeystoreError::KeyConflict)?;
    insert(conn, device, merged.fresh, settings)?;
    Ok(merged.already_used)
}

/// Stores the last-resort key, if there is one to store. Returns the id of the one that the device has then.
fn store_last_resort(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    uploaded: Option<SignedPreKey>,
) -> Result<Option<KeyId>, DbError> {
    let before = last_resort::find(conn, device.account_id, device.device_id)?;
    let Some(key) = uploaded else { return Ok(before.map(|row| row.key_id)) };
    if before.is_none_or(|row| row.public_key != key.public_key) {
        device.last_resort_served = 0;
    }
    let row = LastResortRow {
        account_id: device.account_id,
        device_id: device.device_id,
        key_id: key.key_id,
        public_key: key.public_key,
        signature: key.signature,
    };
    last_resort::put(conn, &row)?;
    Ok(Some(row.key_id))
}

fn insert(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    fresh: Vec<Arriving>,
    settings: &KeystoreSettings,
) -> Result<(), KeystoreError> {
    let mut rows = Vec::with_capacity(fresh.len());
    for key in fresh {
        let next = device.next_position(key.kind);
        let position = *next;
        *next += 1;
        rows.push(OneTimeKeyRow {
            account_id: device.account_id,
            device_id: device.device_id,
            kind: key.kind.as_str().to_owned(),
            position,
            key_id: key.key_id,
            public_key: key.public_key,
            signature: key.signature,
            key_hash: key.hash,
        });
    }
    one_time::insert(conn, &rows)?;

    let counts = count(conn, device)?;
    let most = i64::try_from(settings.max_one_time_keys).unwrap_or(i64::MAX);
    if counts.ec > most || counts.pq > most {
        return Err(KeystoreError::TooManyKeys(settings.max_one_time_keys));
    }
    // Told anew only after the water has been above the mark in between.
    let low_water = i64::from(settings.low_water);
    device.ec_low &= counts.ec < low_water;
    device.pq_low &= counts.pq < low_water;
    Ok(())
}

/// A device that begins with few keys is not told so: its owner knows.
pub(super) fn mark_low_at_birth(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    settings: &KeystoreSettings,
) -> Result<(), DbError> {
    let counts = count(conn, device)?;
    device.ec_low = counts.ec < i64::from(settings.low_water);
    device.pq_low = counts.pq < i64::from(settings.low_water);
    Ok(())
}
