//! Devices.

use common::models::events::PreKeyKind;
use common::models::{AccountId, DeviceId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::{DeviceRow, DeviceState, KeyChanges, Life};
use super::schema::devices;

/// Stores a device.
pub(crate) fn insert(conn: &mut DbConn, device: DeviceRow) -> Result<(), DbError> {
    diesel::insert_into(devices::table).values(device).execute(conn)?;
    Ok(())
}

/// Reads a device.
pub(crate) fn find(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
) -> Result<Option<DeviceRow>, DbError> {
    Ok(devices::table.find((account, device)).first(conn).optional()?)
}

/// Lists an account's devices in whatever state, by id.
pub(crate) fn of_account(conn: &mut DbConn, account: AccountId) -> Result<Vec<DeviceRow>, DbError> {
    Ok(devices::table.filter(devices::account_id.eq(account)).order(devices::device_id).load(conn)?)
}

/// Names an active device; tells whether there is one.
pub(crate) fn rename(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
    name: Option<&str>,
) -> Result<bool, DbError> {
    let active = devices::table.find((account, device)).filter(devices::state.eq(DeviceState::Active));
    Ok(diesel::update(active).set(devices::name.eq(name)).execute(conn)? == 1)
}

/// Marks an opening device as in use. Tells whether this life of it still stands; once more is fine.
pub(crate) fn activate(conn: &mut DbConn, life: Life, now: UnixMillis) -> Result<bool, DbError> {
    let standing = devices::table
        .find((life.account, life.device))
        .filter(devices::generation.eq(life.generation))
        .filter(devices::state.ne(DeviceState::Closing));
    let marked = (devices::state.eq(DeviceState::Active), devices::changed_at.eq(now));
    Ok(diesel::update(standing).set(marked).execute(conn)? == 1)
}

/// Marks a device as removed.
pub(crate) fn close(conn: &mut DbConn, life: Life, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(devices::table.find((life.account, life.device)))
        .filter(devices::generation.eq(life.generation))
        .set((devices::state.eq(DeviceState::Closing), devices::changed_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Removes the row of a life that has ended.
pub(crate) fn delete(conn: &mut DbConn, life: Life) -> Result<bool, DbError> {
    let ended =
        devices::table.find((life.account, life.device)).filter(devices::generation.eq(life.generation));
    Ok(diesel::delete(ended).execute(conn)? == 1)
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
) -> Result<Vec<Life>, DbError> {
    // The constant condition is that of the partial index.
    let found = devices::table
        .filter(devices::state.ne(DeviceState::Active))
        .filter(devices::state.eq(state))
        .filter(devices::changed_at.le(since))
        .order(devices::changed_at)
        .limit(limit)
        .select((devices::account_id, devices::device_id, devices::generation))
        .load(conn)?;
    Ok(found.into_iter().map(|(account, device, generation)| Life { account, device, generation }).collect())
}

/// Stores what an upload changes in the device itself. Gives the kinds of which its owner had been told that they run
/// out, and of which there are enough now.
pub(crate) fn change_keys(conn: &mut DbConn, changes: &KeyChanges) -> Result<Vec<PreKeyKind>, DbError> {
    let device = devices::table.find((changes.account_id, changes.device_id));
    // A fetch may have noted it since the device was read.
    let low = device.select((devices::ec_low, devices::pq_low));
    let (ec, pq): (bool, bool) = match conn {
        DbConn::Pg(c) => low.for_update().first(c)?,
        DbConn::Sqlite(c) => low.first(c)?,
    };
    diesel::update(device).set(changes).execute(conn)?;
    let was_low = [(PreKeyKind::Ec, ec), (PreKeyKind::Pq, pq)];
    Ok(was_low.into_iter().filter_map(|(kind, low)| (low && changes.lifts(kind)).then_some(kind)).collect())
}

/// Notes that the owner is told that keys of a kind run out. Tells whether nobody had noted it, and no keys have come
/// since `next` was the position of the next one.
pub(crate) fn mark_low(conn: &mut DbConn, life: Life, kind: PreKeyKind, next: i64) -> Result<bool, DbError> {
    let device =
        devices::table.find((life.account, life.device)).filter(devices::generation.eq(life.generation));
    let marked = match kind {
        PreKeyKind::Ec => {
            let unmarked =
                device.filter(devices::ec_low.eq(false)).filter(devices::next_ec_position.eq(next));
            diesel::update(unmarked).set(devices::ec_low.eq(true)).execute(conn)?
        }
        PreKeyKind::Pq => {
            let unmarked =
                device.filter(devices::pq_low.eq(false)).filter(devices::next_pq_position.eq(next));
            diesel::update(unmarked).set(devices::pq_low.eq(true)).execute(conn)?
        }
    };
    Ok(marked == 1)
}
