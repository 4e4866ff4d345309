//! The keys of a device, when they go with it.

use common::models::{AccountId, DeviceId};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::schema::{issued_keys, last_resort_keys, one_time_keys};

/// Removes all keys of a device; that it was given some is remembered.
pub(crate) fn delete_of(conn: &mut DbConn, account: AccountId, device: DeviceId) -> Result<(), DbError> {
    let one_time = one_time_keys::table.filter(one_time_keys::account_id.eq(account));
    diesel::delete(one_time.filter(one_time_keys::device_id.eq(device))).execute(conn)?;
    diesel::delete(last_resort_keys::table.find((account, device))).execute(conn)?;
    Ok(())
}

/// Removes all keys of an account, and the memory of those that were given out.
pub(crate) fn delete_all(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(one_time_keys::table.filter(one_time_keys::account_id.eq(account))).execute(conn)?;
    diesel::delete(last_resort_keys::table.filter(last_resort_keys::account_id.eq(account))).execute(conn)?;
    diesel::delete(issued_keys::table.filter(issued_keys::account_id.eq(account))).execute(conn)?;
    Ok(())
}
