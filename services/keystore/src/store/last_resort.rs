//! Last-resort keys: one for each device.

use common::models::{AccountId, DeviceId};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::rows::LastResortRow;
use super::schema::last_resort_keys::{account_id, device_id, table};

/// Reads the key of a device.
pub(crate) fn find(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
) -> Result<Option<LastResortRow>, DbError> {
    Ok(table.find((account, device)).first(conn).optional()?)
}

/// Stores the key of a device in place of the one before.
pub(crate) fn put(conn: &mut DbConn, row: &LastResortRow) -> Result<(), DbError> {
    on_backend!(conn, |c| diesel::insert_into(table)
        .values(row)
        .on_conflict((account_id, device_id))
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}
