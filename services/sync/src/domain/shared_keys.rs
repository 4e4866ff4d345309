//! The keys that devices encrypt SMS with: made for each when it synchronizes, and good until it is forgotten.

use common::crypto::data_key::NotOurs;
use common::crypto::token::{NoRandomness, random};
use common::crypto::{DataKey, Secret};
use common::models::{E164, UnixMillis};
use db::{DbConn, DbError};
use zeroize::Zeroizing;

use super::error::SyncError;
use super::ids::{SyncId, UserId};
use crate::app::State;
use crate::store::devices::{self, DeviceRow};
use crate::store::sessions;

const PURPOSE: &str = "sync: shared key of a device";

/// What makes the key: 128 bits, as the text of the interface has them.
const OCTETS: usize = 16;

/// A key: 32 hex characters, which are the AES-256 key themselves.
pub(crate) type SharedKeyText = Zeroizing<String>;

/// A device and its key.
pub(crate) struct Device {
    /// The session in which it synchronized.
    pub(crate) id: SyncId,
    /// Its key.
    pub(crate) key: Secret<String>,
}

/// Gives the key of the device of a session, which is made the first time. Over `most` devices of the user, the ones that
/// came first are forgotten.
pub(super) fn of_session(
    conn: &mut DbConn,
    data_key: &DataKey,
    (user, id): (&UserId, &SyncId),
    (now, most): (UnixMillis, usize),
) -> Result<SharedKeyText, SyncError> {
    if let Some(row) = devices::find(conn, user, id)? {
        return Ok(open(data_key, &row)?);
    }
    let key = generate()?;
    let row = DeviceRow {
        user_id: user.clone(),
        session_id: id.clone(),
        shared_key: data_key.seal(PURPOSE, &owner(user, id), key.as_bytes())?,
        created_at: now,
    };
    devices::insert(conn, row)?;
    for old in devices::of_user(conn, user)?.into_iter().filter(|row| row.session_id != *id).skip(most - 1) {
        devices::delete(conn, user, &old.session_id)?;
    }
    Ok(key)
}

/// Whether the device of a session has a key already.
pub(super) fn has_key(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<bool, DbError> {
    Ok(devices::find(conn, user, id)?.is_some())
}

/// Finds the user with a phone number, and the keys of the user's devices, the newest first. A key that does not open
/// (sealed under an earlier `sync.data_key`) is left out: the devices that have synchronized since must not wait for it.
///
/// # Errors
/// [`SyncError::NoUser`], [`SyncError::Accounts`].
pub(crate) async fn of_phone(state: &State, phone: &E164) -> Result<(UserId, Vec<Device>), SyncError> {
    let found = state.users.with_phone(phone).await.map_err(SyncError::Accounts)?;
    let user = found.ok_or(SyncError::NoUser)?;
    let owner = user.clone();
    let rows = state.db.read(move |conn| devices::of_user(conn, &owner)).await.map_err(SyncError::from)?;
    let sealed = rows.len();
    let opened = rows.into_iter().filter_map(|row| {
        let key = open(&state.data_key, &row).ok()?;
        Some(Device { key: Secret::new(String::clone(&key)), id: row.session_id })
    });
    let devices: Vec<Device> = opened.collect();
    if devices.len() < sealed {
        let lost = sealed - devices.len();
        tracing::warn!(lost, "a user has devices whose keys were sealed under another sync.data_key");
    }
    Ok((user, devices))
}

/// Lists the devices of a user, by their sessions and since when, the newest first.
///
/// # Errors
/// Those of the database.
pub(crate) async fn of_user(state: &State, user: UserId) -> Result<Vec<(SyncId, UnixMillis)>, SyncError> {
    let rows = state.db.read(move |conn| devices::of_user(conn, &user)).await?;
    Ok(rows.into_iter().map(|row| (row.session_id, row.created_at)).collect())
}

/// Forgets a device, with its session: its key is not given out again.
///
/// # Errors
/// [`SyncError::NoDevice`].
pub(crate) async fn forget(state: &State, user: UserId, id: SyncId) -> Result<(), SyncError> {
    let forgotten = state.db.write(move |conn| {
        // Whoever verifies holds the session, too.
        sessions::lock(conn, &user, &id)?;
        let was_there = devices::delete(conn, &user, &id)?;
        if was_there {
            sessions::delete(conn, &user, &id)?;
        }
        Ok::<_, DbError>(was_there)
    });
    if forgotten.await? { Ok(()) } else { Err(SyncError::NoDevice) }
}

/// Forgets everything about a user.
///
/// # Errors
/// Those of the database.
pub(crate) async fn erase(state: &State, user: UserId) -> Result<(), SyncError> {
    let erased = state.db.write(move |conn| {
        // The sessions first: a verification that is under way holds one of them, and finds it gone afterwards.
        sessions::delete_of(conn, &user)?;
        devices::delete_of(conn, &user)
    });
    Ok(erased.await?)
}

fn generate() -> Result<SharedKeyText, NoRandomness> {
    let octets = Zeroizing::new(random::<OCTETS>()?);
    Ok(Zeroizing::new(hex::encode(octets.as_slice())))
}

fn open(data_key: &DataKey, row: &DeviceRow) -> Result<SharedKeyText, NotOurs> {
    let plain = data_key.open(PURPOSE, &owner(&row.user_id, &row.session_id), &row.shared_key)?;
    let text = std::str::from_utf8(&plain).map_err(|_| NotOurs)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whose key it is: sealed for one row, it opens in no other.
fn owner(user: &UserId, id: &SyncId) -> Vec<u8> {
    // The id has one length, so the two cannot be shifted into each other.
    [id.as_str(), user.as_str()].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_hex_characters_of_its_own() {
        let (key, another) = (generate().unwrap(), generate().unwrap());

        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|octet| octet.is_ascii_hexdigit() && !octet.is_ascii_uppercase()));
        assert_ne!(*key, *another);
    }
}
