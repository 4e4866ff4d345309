//! Devices that have synchronized, and their sealed keys.

use common::models::UnixMillis;
use db::{DbConn, DbError};
use diesel::prelude::*;
use service::Overdue;

use super::schema::synchronized_devices as devices;
use crate::domain::{SyncId, UserId};

/// Devices, by when they synchronized.
pub(crate) const OLD: Overdue =
    Overdue { table: "synchronized_devices", key: "user_id, session_id", at: "created_at" };

/// A device as stored.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = devices)]
pub(crate) struct DeviceRow {
    pub(crate) user_id: UserId,
    /// The session in which it got its key.
    pub(crate) session_id: SyncId,
    pub(crate) shared_key: Vec<u8>,
    pub(crate) created_at: UnixMillis,
}

/// Stores a new device.
pub(crate) fn insert(conn: &mut DbConn, row: DeviceRow) -> Result<(), DbError> {
    diesel::insert_into(devices::table).values(row).execute(conn)?;
    Ok(())
}

/// Finds the device of a session.
pub(crate) fn find(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<Option<DeviceRow>, DbError> {
    Ok(devices::table.find((user, id)).first(conn).optional()?)
}

/// Reads the devices of a user, the newest first.
pub(crate) fn of_user(conn: &mut DbConn, user: &UserId) -> Result<Vec<DeviceRow>, DbError> {
    let mine = devices::table.filter(devices::user_id.eq(user));
    Ok(mine.order((devices::created_at.desc(), devices::session_id.desc())).load(conn)?)
}

/// Removes a device; tells whether it was there.
pub(crate) fn delete(conn: &mut DbConn, user: &UserId, id: &SyncId) -> Result<bool, DbError> {
    Ok(diesel::delete(devices::table.find((user, id))).execute(conn)? > 0)
}

/// Removes all devices of a user.
pub(crate) fn delete_of(conn: &mut DbConn, user: &UserId) -> Result<(), DbError> {
    diesel::delete(devices::table.filter(devices::user_id.eq(user))).execute(conn)?;
    Ok(())
}
