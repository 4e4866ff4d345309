//! Devices, and the memory of those that are gone.

use common::models::signal_server::OpenSignalServerDevice;
use common::models::{AccountId, Generation, SignalServerId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::messages;
use crate::store::schema::{signal_server_closed as closed, signal_server_devices as devices};

/// A device, and how full its queue is.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = devices)]
pub(crate) struct DeviceRow {
    pub(crate) generation: Generation,
    pub(crate) registration_id: SignalServerId,
    pub(crate) address: String,
    pub(crate) message_count: i64,
    pub(crate) byte_count: i64,
}

/// Reads the device of an account.
pub(crate) fn find(conn: &mut DbConn, account: AccountId) -> Result<Option<DeviceRow>, DbError> {
    Ok(devices::table.find(account).select(DeviceRow::as_select()).first(conn).optional()?)
}

/// Reads a device and keeps its queue as it is until the transaction ends.
pub(crate) fn lock(conn: &mut DbConn, account: AccountId) -> Result<Option<DeviceRow>, DbError> {
    let row = devices::table.find(account);
    Ok(match conn {
        DbConn::Pg(c) => row.select(DeviceRow::as_select()).for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.select(DeviceRow::as_select()).first(c).optional()?,
    })
}

/// Makes a device with an empty queue, in the place of the one before.
pub(crate) fn put(
    conn: &mut DbConn,
    account: AccountId,
    life: &OpenSignalServerDevice,
    now: UnixMillis,
) -> Result<(), DbError> {
    messages::delete_all(conn, account)?;
    let row = (
        devices::generation.eq(life.generation),
        devices::registration_id.eq(life.registration_id),
        devices::address.eq(&life.address),
        devices::message_count.eq(0_i64),
        devices::byte_count.eq(0_i64),
        devices::opened_at.eq(now),
    );
    on_backend!(conn, |c| diesel::insert_into(devices::table)
        .values((devices::account_id.eq(account), row))
        .on_conflict(devices::account_id)
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}

/// Counts messages and bytes in, or out.
pub(crate) fn count(conn: &mut DbConn, account: AccountId, more: i64, bytes: i64) -> Result<(), DbError> {
    diesel::update(devices::table.find(account))
        .set((
            devices::message_count.eq(devices::message_count + more),
            devices::byte_count.eq(devices::byte_count + bytes),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes a device with all that waits for it.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    // In the order of a send: the device, then messages.
    diesel::delete(devices::table.find(account)).execute(conn)?;
    messages::delete_all(conn, account)
}

/// Remembers that a life of a device ended.
pub(crate) fn bury(
    conn: &mut DbConn,
    account: AccountId,
    generation: Generation,
    now: UnixMillis,
) -> Result<(), DbError> {
    let row = (closed::account_id.eq(account), closed::generation.eq(generation), closed::closed_at.eq(now));
    on_backend!(conn, |c| {
        diesel::insert_into(closed::table).values(row).on_conflict_do_nothing().execute(c)
    })?;
    Ok(())
}

/// Tells whether a life of a device ended.
pub(crate) fn is_buried(
    conn: &mut DbConn,
    account: AccountId,
    generation: Generation,
) -> Result<bool, DbError> {
    let found = closed::table.find((account, generation));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Forgets all lives of an account that ended: the account itself is remembered as gone.
pub(super) fn forget_of(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(closed::table.filter(closed::account_id.eq(account))).execute(conn)?;
    Ok(())
}

/// Forgets up to `limit` lives that ended before `before`; returns how many.
pub(crate) fn forget_buried(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let old: Vec<(AccountId, Generation)> = closed::table
        .filter(closed::closed_at.lt(before))
        .order(closed::closed_at)
        .limit(limit)
        .select((closed::account_id, closed::generation))
        .load(conn)?;
    for (account, generation) in &old {
        diesel::delete(closed::table.find((account, generation))).execute(conn)?;
    }
    Ok(old.len())
}
