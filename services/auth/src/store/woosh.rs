//! What accounts have that were made by the interface of Woosh.

use common::models::AccountId;
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::schema::{accounts, woosh_accounts};

/// What an account has beside its name and password.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = woosh_accounts)]
pub(crate) struct WooshRow {
    pub(crate) account_id: AccountId,
    pub(crate) woosh_id: i64,
    pub(crate) public_key: Vec<u8>,
    pub(crate) private_key: Vec<u8>,
    pub(crate) info: Vec<u8>,
}

/// The same of an account that is being made; the database gives it its number.
#[derive(Insertable)]
#[diesel(table_name = woosh_accounts)]
pub(crate) struct NewWooshRow {
    pub(crate) account_id: AccountId,
    pub(crate) public_key: Vec<u8>,
    pub(crate) private_key: Vec<u8>,
    pub(crate) info: Vec<u8>,
}

/// Stores it; gives the number.
pub(crate) fn insert(conn: &mut DbConn, row: NewWooshRow) -> Result<i64, DbError> {
    Ok(on_backend!(conn, |c| diesel::insert_into(woosh_accounts::table)
        .values(row)
        .returning(woosh_accounts::woosh_id)
        .get_result(c))?)
}

/// Finds it.
pub(crate) fn find(conn: &mut DbConn, account: AccountId) -> Result<Option<WooshRow>, DbError> {
    Ok(woosh_accounts::table.find(account).select(WooshRow::as_select()).first(conn).optional()?)
}

/// Replaces what a client has stored. Tells whether there is such an account.
pub(crate) fn set_info(conn: &mut DbConn, account: AccountId, info: &[u8]) -> Result<bool, DbError> {
    let changed = diesel::update(woosh_accounts::table.find(account))
        .set(woosh_accounts::info.eq(info))
        .execute(conn)?;
    Ok(changed > 0)
}

/// Gives the names of those that exist.
pub(crate) fn names(conn: &mut DbConn, ids: &[AccountId]) -> Result<Vec<(AccountId, String)>, DbError> {
    let named = accounts::table.filter(accounts::account_id.eq_any(ids));
    Ok(named.select((accounts::account_id, accounts::username)).load(conn)?)
}
