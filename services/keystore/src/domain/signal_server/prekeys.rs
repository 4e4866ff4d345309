//! Keys that an owner adds to a device, or puts in the place of others.

use common::models::{AccountId, SignalServerId};
use db::DbConn;

use super::merge::{Hashed, merge};
use super::{KeyRules, Prekey, SignalServerError, SignedPrekey, in_use};
use crate::app::State;
use crate::store::accounts;
use crate::store::signal_server::rows::{DeviceRow, PrekeyRow};
use crate::store::signal_server::{devices, prekeys};

/// Adds prekeys to the caller's device: all of them, or none. What was given out before is dropped.
///
/// # Errors
/// [`SignalServerError::NoDevice`], [`SignalServerError::DeviceChanged`], [`SignalServerError::TooManyPrekeys`],
/// [`SignalServerError::KeyIdExists`].
pub(crate) async fn upload(
    state: &State,
    account: AccountId,
    registration_id: Option<SignalServerId>,
    keys: Vec<Prekey>,
) -> Result<(), SignalServerError> {
    let rules = state.key_rules;
    state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?;
            let device = in_use(devices::standing(conn, account)?, registration_id)?;
            store(conn, &device, keys, rules)
        })
        .await
}

/// Puts a signed prekey in the place of the one before. `device` is the one whose identity has signed it.
///
/// # Errors
/// [`SignalServerError::NoDevice`] when the device has gone meanwhile.
pub(crate) async fn set_signed(
    state: &State,
    device: &DeviceRow,
    key: SignedPrekey,
) -> Result<(), SignalServerError> {
    let life = device.life();
    let is_set = state.db.write(move |conn| devices::set_signed(conn, life, &key)).await?;
    if is_set { Ok(()) } else { Err(SignalServerError::NoDevice) }
}

/// Stores prekeys behind those that wait. The caller has locked the account.
pub(super) fn store(
    conn: &mut DbConn,
    device: &DeviceRow,
    keys: Vec<Prekey>,
    rules: KeyRules,
) -> Result<(), SignalServerError> {
    let account = device.account_id;
    let upload: Vec<Hashed> =
        keys.into_iter().map(|key| Hashed { hash: rules.hash(device.generation, &key), key }).collect();
    let hashes: Vec<Vec<u8>> = upload.iter().map(|key| key.hash.clone()).collect();
    // In this order: a key that is fetched between the two is found by one of them.
    let waiting = prekeys::waiting(conn, account)?;
    let used = prekeys::issued_among(conn, account, &hashes)?;
    let fresh = merge(waiting.into_iter().map(|row| (row.key_id, row.key_hash)), &used, upload)?;
    if fresh.is_empty() {
        return Ok(());
    }
    let positions = device.next_position..;
    let rows = positions.zip(fresh).map(|(position, Hashed { key, hash })| PrekeyRow {
        account_id: account,
        position,
        key_id: key.key_id,
        public_key: key.public_key,
        key_hash: hash,
    });
    let rows: Vec<PrekeyRow> = rows.collect();
    prekeys::insert(conn, &rows)?;
    let next = rows.last().map_or(device.next_position, |last| last.position + 1);
    Ok(devices::set_next_position(conn, device.life(), next)?)
}
