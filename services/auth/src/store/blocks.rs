//! Accounts that operators have locked out.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::schema::blocked_accounts;

/// Why an account is locked out, and since when.
#[derive(Insertable, Queryable)]
#[diesel(table_name = blocked_accounts)]
pub(crate) struct BlockRow {
    pub(crate) account_id: AccountId,
    pub(crate) reason: String,
    pub(crate) blocked_at: UnixMillis,
}

/// Finds the block of an account.
pub(crate) fn find(conn: &mut DbConn, account: AccountId) -> Result<Option<BlockRow>, DbError> {
    Ok(blocked_accounts::table.find(account).first(conn).optional()?)
}

/// Tells whether an account is blocked.
pub(crate) fn is_blocked(conn: &mut DbConn, account: AccountId) -> Result<bool, DbError> {
    Ok(diesel::select(diesel::dsl::exists(blocked_accounts::table.find(account))).get_result(conn)?)
}

/// Stores a block, or another reason for one that stands. Tells whether the account was not blocked before.
pub(crate) fn put(conn: &mut DbConn, block: &BlockRow) -> Result<bool, DbError> {
    let fresh = on_backend!(conn, |c| diesel::insert_into(blocked_accounts::table)
        .values(block)
        .on_conflict_do_nothing()
        .execute(c))?;
    if fresh == 0 {
        diesel::update(blocked_accounts::table.find(block.account_id))
            .set(blocked_accounts::reason.eq(&block.reason))
            .execute(conn)?;
    }
    Ok(fresh == 1)
}

/// Ends a block; tells whether there was one.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId) -> Result<bool, DbError> {
    Ok(diesel::delete(blocked_accounts::table.find(account)).execute(conn)? == 1)
}
