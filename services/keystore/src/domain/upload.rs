//! Keys that an owner adds to a device, and what is left of them.

use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use common::models::{AccountId, DeviceId, KeyId, SessionId, UnixMillis};
use db::{DbConn, DbError};

use super::KeystoreError;
use super::keys::{self, SignedPreKey, Upload, UploadMode};
use super::merge::{self, Arriving, Held};
use crate::app::State;
use crate::settings::KeystoreSettings;
use crate::store::rows::{DeviceRow, DeviceState, KeyChanges, LastResortRow, Life, OneTimeKeyRow};
use crate::store::{accounts, devices, issued, last_resort, one_time, outbox};

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
    let (settings, now) = (state.settings.clone(), state.clock.now());
    let (uploaded, tells) = state
        .db
        .write(move |conn| {
            let device = lock_for(conn, owner)?;
            // The identity is fixed for a life of the device, and with it what was just verified.
            if device.generation != before {
                return Err(KeystoreError::NoDevice);
            }
            let stored = store(conn, &device, upload, (&settings, now))?;
            let tells = tell_stocked(conn, owner, &stored.stocked, now)?;
            Ok((Uploaded { counts: counts_of(conn, owner)?, already_used: stored.already_used }, tells))
        })
        .await?;
    if tells {
        state.relay.wake();
    }
    state.metrics.keys_already_used_total.inc_by(uploaded.already_used.len() as u64);
    Ok(uploaded)
}

/// Tells of what an owner need not be told any more; whether there is anything to tell.
fn tell_stocked(
    conn: &mut DbConn,
    owner: Owner,
    kinds: &[PreKeyKind],
    now: UnixMillis,
) -> Result<bool, DbError> {
    let change = |kind: &PreKeyKind| AccountChange::KeysStocked { device_id: owner.device, kind: *kind };
    let event = |kind| AccountEvent { account_id: owner.account, at: now, change: change(kind) };
    let events: Vec<AccountEvent> = kinds.iter().map(event).collect();
    if !events.is_empty() {
        outbox::push(conn, &events, now)?;
    }
    Ok(!events.is_empty())
}

/// Counts what the caller's device has waiting.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn counts(state: &State, owner: Owner) -> Result<Counts, KeystoreError> {
    state.db.read(move |conn| counts_of(conn, owner)).await
}

/// Drops the one-time keys that wait at the caller's device: for a client that has lost their private halves.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn reset(state: &State, owner: Owner) -> Result<(), KeystoreError> {
    state
        .db
        .write(move |conn| {
            lock_for(conn, owner)?;
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

/// The caller's device, of whose account nothing but fetches changes anything until the transaction ends.
///
/// A fetch takes keys and then counts in the row of their device: whoever deletes keys comes to that row after them. So it
/// is the account that is locked. It keeps a key from coming in on two devices, too: one finds the other's.
fn lock_for(conn: &mut DbConn, owner: Owner) -> Result<DeviceRow, KeystoreError> {
    accounts::lock(conn, owner.account)?;
    owned(devices::find(conn, owner.account, owner.device)?, owner)
}

fn counts_of(conn: &mut DbConn, owner: Owner) -> Result<Counts, KeystoreError> {
    let device = owned(devices::find(conn, owner.account, owner.device)?, owner)?;
    Ok(Counts {
        ec: one_time::count(conn, owner.account, owner.device, PreKeyKind::Ec)?,
        pq: one_time::count(conn, owner.account, owner.device, PreKeyKind::Pq)?,
        last_resort_served: device.last_resort_served,
    })
}

/// What an upload has left in a device.
pub(super) struct Stored {
    /// Keys that had been given out before; they were dropped.
    already_used: Vec<KeyId>,
    /// What is changed in the device itself.
    changes: KeyChanges,
    /// Kinds of which there are enough again.
    stocked: Vec<PreKeyKind>,
}

/// Stores checked keys, the one-time ones behind those that wait. The caller has locked the account.
pub(super) fn store(
    conn: &mut DbConn,
    device: &DeviceRow,
    upload: Upload,
    (settings, now): (&KeystoreSettings, UnixMillis),
) -> Result<Stored, KeystoreError> {
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
    let mut changes = KeyChanges::none(device);
    let last_resort = store_last_resort(conn, pq_last_resort, &mut changes)?;
    if let Some(key) = signed_pre_key {
        // The same one again is no rotation.
        changes.signed_at = (key.public_key != device.signed_key).then_some(now);
        changes.signed_key_id = Some(key.key_id);
        changes.signed_key = Some(key.public_key);
        changes.signed_signature = Some(key.signature);
    }

    let arriving = merge::arriving(pre_keys, pq_pre_keys);
    let ids: Vec<KeyId> = arriving.iter().map(|key| key.key_id).chain(last_resort).collect();
    let hashes: Vec<Vec<u8>> = arriving.iter().map(|key| key.hash.clone()).collect();
    // In this order: a key that is fetched between the two is found by one of them.
    let waiting = one_time::known(conn, (account, id), &ids, &hashes)?;
    let used = issued::among(conn, account, &hashes)?;
    let held = Held { device: id, waiting, used, last_resort };
    let merged = merge::merge(&held, arriving).map_err(KeystoreError::KeyConflict)?;
    insert(conn, merged.fresh, &mut changes)?;
    for kind in [PreKeyKind::Ec, PreKeyKind::Pq] {
        let waiting = one_time::count(conn, account, id, kind)?;
        if usize::try_from(waiting).is_ok_and(|waiting| waiting > settings.max_one_time_keys) {
            return Err(KeystoreError::TooManyKeys(settings.max_one_time_keys));
        }
        // Told anew only after the water has been above the mark in between.
        if waiting >= i64::from(settings.low_water) {
            changes.lift(kind);
        }
    }
    let stocked = devices::change_keys(conn, &changes)?;
    Ok(Stored { already_used: merged.already_used, changes, stocked })
}

/// Stores the last-resort key, if there is one to store. Returns the id of the one that the device has then.
fn store_last_resort(
    conn: &mut DbConn,
    uploaded: Option<SignedPreKey>,
    changes: &mut KeyChanges,
) -> Result<Option<KeyId>, DbError> {
    let before = last_resort::find(conn, changes.account_id, changes.device_id)?;
    let Some(key) = uploaded else { return Ok(before.map(|row| row.key_id)) };
    if before.is_none_or(|row| row.public_key != key.public_key) {
        changes.last_resort_served = Some(0);
    }
    let row = LastResortRow {
        account_id: changes.account_id,
        device_id: changes.device_id,
        key_id: key.key_id,
        public_key: key.public_key,
        signature: key.signature,
    };
    last_resort::put(conn, &row)?;
    Ok(Some(row.key_id))
}

fn insert(conn: &mut DbConn, fresh: Vec<Arriving>, changes: &mut KeyChanges) -> Result<(), DbError> {
    let mut rows = Vec::with_capacity(fresh.len());
    for key in fresh {
        rows.push(OneTimeKeyRow {
            account_id: changes.account_id,
            device_id: changes.device_id,
            kind: key.kind.as_str().to_owned(),
            position: changes.take_position(key.kind),
            key_id: key.key_id,
            public_key: key.public_key,
            signature: key.signature,
            key_hash: key.hash,
        });
    }
    one_time::insert(conn, &rows)
}

/// A device that begins with few keys is not told so: its owner knows.
pub(super) fn mark_low_at_birth(
    conn: &mut DbConn,
    life: Life,
    stored: &Stored,
    settings: &KeystoreSettings,
) -> Result<(), DbError> {
    for kind in [PreKeyKind::Ec, PreKeyKind::Pq] {
        if one_time::count(conn, life.account, life.device, kind)? < i64::from(settings.low_water) {
            devices::mark_low(conn, life, kind, stored.changes.next_position(kind))?;
        }
    }
    Ok(())
}
