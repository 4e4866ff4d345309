//! Accounts: the identity that their devices share, the last device id, the tombstone.

use common::models::{AccountId, Base64Bytes, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use service::Overdue;

use super::rows::AccountRow;
use super::schema::accounts;

/// What is left of deleted accounts.
pub(crate) const TOMBSTONES: Overdue = Overdue { table: "accounts", key: "account_id", at: "removed_at" };

/// Locks an account until the transaction ends, and reads it; makes the row when there is none.
pub(crate) fn lock(conn: &mut DbConn, account: AccountId) -> Result<AccountRow, DbError> {
    let fresh = AccountRow { account_id: account, identity_key: None, last_device_id: 0, removed_at: None };
    on_backend!(conn, |c| diesel::insert_into(accounts::table)
        .values(&fresh)
        .on_conflict_do_nothing()
        .execute(c))?;
    let row = accounts::table.find(account);
    Ok(match conn {
        DbConn::Pg(c) => row.for_update().first(c)?,
        DbConn::Sqlite(c) => row.first(c)?,
    })
}

/// Reads the identity that the devices of an account share.
pub(crate) fn identity(conn: &mut DbConn, account: AccountId) -> Result<Option<Base64Bytes>, DbError> {
    let found = accounts::table.find(account).select(accounts::identity_key).first(conn).optional()?;
    Ok(found.flatten())
}

/// Reads the identities of those accounts that have one.
pub(crate) fn identities(
    conn: &mut DbConn,
    of: &[AccountId],
) -> Result<Vec<(AccountId, Base64Bytes)>, DbError> {
    Ok(accounts::table
        .filter(accounts::account_id.eq_any(of))
        .filter(accounts::identity_key.is_not_null())
        .select((accounts::account_id, accounts::identity_key.assume_not_null()))
        .load(conn)?)
}

/// Sets the identity; `None` when the last device goes.
pub(crate) fn set_identity(
    conn: &mut DbConn,
    account: AccountId,
    identity: Option<&Base64Bytes>,
) -> Result<(), DbError> {
    diesel::update(accounts::table.find(account)).set(accounts::identity_key.eq(identity)).execute(conn)?;
    Ok(())
}

/// Notes the device id that was given last.
pub(crate) fn set_last_device(conn: &mut DbConn, account: AccountId, device: i32) -> Result<(), DbError> {
    diesel::update(accounts::table.find(account)).set(accounts::last_device_id.eq(device)).execute(conn)?;
    Ok(())
}

/// Leaves nothing of an account but its id.
pub(crate) fn bury(conn: &mut DbConn, account: AccountId, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(accounts::table.find(account))
        .set((accounts::identity_key.eq(None::<Base64Bytes>), accounts::removed_at.eq(Some(now))))
        .execute(conn)?;
    Ok(())
}
