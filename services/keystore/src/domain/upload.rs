//! Keys that an owner adds to a device, and what is left of them.

use std::collections::HashSet;

use common::models::events::PreKeyKind;
use common::models::{AccountId, Base64Bytes, DeviceId, KeyId, SessionId};
use db::{DbConn, DbError};
use ring::digest::{SHA256, digest};

use super::KeystoreError;
use super::keys::{self, Upload};
use crate::app::State;
use crate::settings::KeystoreSettings;
use crate::store::rows::{DeviceRow, DeviceState, OneTimeKeyRow};
use crate::store::{accounts, devices, issued, one_time};

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

/// The device, if it is in use and still the session's.
fn owned(device: Option<DeviceRow>, owner: Owner) -> Result<DeviceRow, KeystoreError> {
    device
        .filter(|device| device.state == DeviceState::Active && device.session_id == owner.session)
        .ok_or(KeystoreError::NoDevice)
}

fn count(conn: &mut DbConn, device: &DeviceRow) -> Result<Counts, DbError> {
    Ok(Counts {
        ec: one_time::count(conn, device.life(), PreKeyKind::Ec)?,
        pq: one_time::count(conn, device.life(), PreKeyKind::Pq)?,
        last_resort_served: device.last_resort_served,
    })
}

/// A one-time key on its way in.
struct Fresh {
    kind: PreKeyKind,
    key_id: KeyId,
    public_key: Base64Bytes,
    signature: Option<Base64Bytes>,
    hash: Vec<u8>,
}

/// Stores checked keys: the signed ones in `device`, which the caller has locked and stores afterwards, the one-time
/// ones behind those that wait already. Returns the ids of keys that had been given out before.
pub(super) fn store(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    upload: Upload,
    settings: &KeystoreSettings,
) -> Result<Vec<KeyId>, KeystoreError> {
    let Upload { pre_keys, signed_pre_key, pq_pre_keys, pq_last_resort } = upload;
    let ec = pre_keys.into_iter().map(|key| Fresh::new(PreKeyKind::Ec, key.key_id, key.public_key, None));
    let pq = pq_pre_keys
        .into_iter()
        .map(|key| Fresh::new(PreKeyKind::Pq, key.key_id, key.public_key, Some(key.signature)));
    let mut fresh: Vec<Fresh> = ec.chain(pq).collect();

    let mut ids: Vec<KeyId> = fresh.iter().map(|key| key.key_id).collect();
    ids.push(pq_last_resort.as_ref().map_or(device.last_resort_id, |key| key.key_id));
    let hashes: Vec<Vec<u8>> = fresh.iter().map(|key| key.hash.clone()).collect();
    // In this order: a key that is fetched between the two is found by one of them.
    let known = one_time::known(conn, device.life(), &ids, &hashes)?;
    let used = issued::among(conn, device.account_id, &hashes)?;
    let already_used = fresh.iter().filter(|key| used.contains(&key.hash)).map(|key| key.key_id).collect();
    fresh.retain(|key| !used.contains(&key.hash));

    if let Some(key) = signed_pre_key {
        device.signed_key_id = key.key_id;
        device.signed_key = key.public_key;
        device.signed_signature = key.signature;
    }
    if let Some(key) = pq_last_resort {
        if device.last_resort_key != key.public_key {
            device.last_resort_served = 0;
        }
        device.last_resort_id = key.key_id;
        device.last_resort_key = key.public_key;
        device.last_resort_signature = key.signature;
    }
    drop_known(device, &known, &mut fresh)?;
    insert(conn, device, fresh, settings)?;
    Ok(already_used)
}

impl Fresh {
    fn new(kind: PreKeyKind, key_id: KeyId, public_key: Base64Bytes, signature: Option<Base64Bytes>) -> Self {
        let hash = digest(&SHA256, &public_key.0).as_ref().to_vec();
        Self { kind, key_id, public_key, signature, hash }
    }
}

/// Drops keys that wait already; the same id for two keys, or two ids for one, is a conflict.
fn drop_known(
    device: &DeviceRow,
    known: &[one_time::Known],
    fresh: &mut Vec<Fresh>,
) -> Result<(), KeystoreError> {
    let mut conflicts = Vec::new();
    let mut there = HashSet::new();
    for key in fresh.iter() {
        let here =
            |known: &&one_time::Known| known.device_id == device.device_id && known.kind == key.kind.as_str();
        let by_id = known.iter().filter(here).find(|known| known.key_id == key.key_id);
        let by_key = known.iter().find(|known| known.key_hash == key.hash);
        match (by_id, by_key) {
            (None, None) => {}
            (Some(same), _) if same.key_hash == key.hash => {
                there.insert(key.hash.clone());
            }
            _ => conflicts.push(key.key_id),
        }
        if key.kind == PreKeyKind::Pq && key.key_id == device.last_resort_id {
            conflicts.push(key.key_id);
        }
    }
    let pq = PreKeyKind::Pq.as_str();
    let shadowed = |known: &one_time::Known| {
        known.device_id == device.device_id && known.kind == pq && known.key_id == device.last_resort_id
    };
    if known.iter().any(shadowed) {
        conflicts.push(device.last_resort_id);
    }
    if !conflicts.is_empty() {
        conflicts.sort_unstable();
        conflicts.dedup();
        return Err(KeystoreError::KeyConflict(conflicts));
    }
    fresh.retain(|key| !there.contains(&key.hash));
    Ok(())
}

fn insert(
    conn: &mut DbConn,
    device: &mut DeviceRow,
    fresh: Vec<Fresh>,
    settings: &KeystoreSettings,
) -> Result<(), KeystoreError> {
    let first = device.next_position;
    let rows: Vec<OneTimeKeyRow> = fresh
        .into_iter()
        .zip(first..)
        .map(|(key, position)| OneTimeKeyRow {
            account_id: device.account_id,
            device_id: device.device_id,
            generation: device.generation,
            kind: key.kind.as_str().to_owned(),
            position,
            key_id: key.key_id,
            public_key: key.public_key,
            signature: key.signature,
            key_hash: key.hash,
        })
        .collect();
    one_time::insert(conn, &rows)?;
    device.next_position = first + i64::try_from(rows.len()).unwrap_or_default();

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
