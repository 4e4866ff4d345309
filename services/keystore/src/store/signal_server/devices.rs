//! Devices.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::{DeviceRow, Life};
use crate::domain::signal_server::SignedPrekey;
use crate::store::rows::DeviceState;
use crate::store::schema::signal_server_devices as devices;

/// Stores a device.
pub(crate) fn insert(conn: &mut DbConn, device: DeviceRow) -> Result<(), DbError> {
    diesel::insert_into(devices::table).values(device).execute(conn)?;
    Ok(())
}

/// Reads the device of an account that is not on its way out.
pub(crate) fn standing(conn: &mut DbConn, account: AccountId) -> Result<Option<DeviceRow>, DbError> {
    let standing = devices::table
        .filter(devices::account_id.eq(account))
        // As the condition of the partial index.
        .filter(devices::state.ne(DeviceState::Closing));
    Ok(standing.first(conn).optional()?)
}

/// Marks an opening device as in use. Tells whether this life of it still stands; once more is fine.
pub(crate) fn activate(conn: &mut DbConn, life: Life, now: UnixMillis) -> Result<bool, DbError> {
    let standing =
        devices::table.find((life.account, life.generation)).filter(devices::state.ne(DeviceState::Closing));
    let marked = (devices::state.eq(DeviceState::Active), devices::changed_at.eq(now));
    Ok(diesel::update(standing).set(marked).execute(conn)? == 1)
}

/// Marks a device as removed.
pub(crate) fn close(conn: &mut DbConn, life: Life, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(devices::table.find((life.account, life.generation)))
        .set((devices::state.eq(DeviceState::Closing), devices::changed_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Removes the row of a life that has ended.
pub(crate) fn delete(conn: &mut DbConn, life: Life) -> Result<(), DbError> {
    diesel::delete(devices::table.find((life.account, life.generation))).execute(conn)?;
    Ok(())
}

/// Removes all devices of an account.
pub(crate) fn delete_all(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(devices::table.filter(devices::account_id.eq(account))).execute(conn)?;
    Ok(())
}

/// Lists up to `limit` devices that have been half open or half closed since before `since`, the oldest first.
pub(crate) fn unfinished(
    conn: &mut DbConn,
    state: DeviceState,
    since: UnixMillis,
    limit: i64,
) -> Result<Vec<DeviceRow>, DbError> {
    // The constant condition is that of the partial index.
    Ok(devices::table
        .filter(devices::state.ne(DeviceState::Active))
        .filter(devices::state.eq(state))
        .filter(devices::changed_at.le(since))
        .order(devices::changed_at)
        .limit(limit)
        .load(conn)?)
}

/// Puts a signed prekey in the place of the one before, if this life of the device is in use. Tells whether it is.
pub(crate) fn set_signed(conn: &mut DbConn, life: Life, key: &SignedPrekey) -> Result<bool, DbError> {
    let active =
        devices::table.find((life.account, life.generation)).filter(devices::state.eq(DeviceState::Active));
    let changed = diesel::update(active)
        .set((
            devices::signed_key_id.eq(key.key_id),
            devices::signed_key.eq(&key.public_key),
            devices::signed_signature.eq(&key.signature),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Notes the position that the next prekey gets.
pub(crate) fn set_next_position(conn: &mut DbConn, life: Life, next: i64) -> Result<(), DbError> {
    diesel::update(devices::table.find((life.account, life.generation)))
        .set(devices::next_position.eq(next))
        .execute(conn)?;
    Ok(())
}
