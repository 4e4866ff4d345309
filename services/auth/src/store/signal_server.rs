//! What accounts have that were made by the interface of signal_server, and its sessions.

use common::models::{AccountId, SessionId};
use db::{DbConn, DbError, on_backend};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::accounts::storable;
use super::schema::{accounts, signal_server_accounts, signal_server_sessions};

/// A user of the interface.
#[derive(Clone, Queryable)]
pub(crate) struct UserRow {
    pub(crate) account_id: AccountId,
    pub(crate) user_id: i64,
    pub(crate) username: String,
    /// As it was written; empty for none.
    pub(crate) email: String,
    pub(crate) password_hash: String,
}

type Users = diesel::dsl::InnerJoin<accounts::table, signal_server_accounts::table>;
type Columns = (
    accounts::account_id,
    signal_server_accounts::user_id,
    accounts::username,
    signal_server_accounts::email,
    accounts::password_hash,
);

const COLUMNS: Columns = (
    accounts::account_id,
    signal_server_accounts::user_id,
    accounts::username,
    signal_server_accounts::email,
    accounts::password_hash,
);

fn users() -> Users {
    accounts::table.inner_join(signal_server_accounts::table)
}

/// Makes an account a user; gives the number.
pub(crate) fn insert(conn: &mut DbConn, account: AccountId, email: &str) -> Result<i64, DbError> {
    let row = (signal_server_accounts::account_id.eq(account), signal_server_accounts::email.eq(email));
    Ok(on_backend!(conn, |c| diesel::insert_into(signal_server_accounts::table)
        .values(row)
        .returning(signal_server_accounts::user_id)
        .get_result(c))?)
}

/// Finds the user that an account is.
pub(crate) fn find(conn: &mut DbConn, account: AccountId) -> Result<Option<UserRow>, DbError> {
    Ok(users().filter(accounts::account_id.eq(account)).select(COLUMNS).first(conn).optional()?)
}

/// Finds the user that has a name, exactly.
pub(crate) fn by_username(conn: &mut DbConn, username: &str) -> Result<Option<UserRow>, DbError> {
    if !storable(username) {
        return Ok(None);
    }
    Ok(users().filter(accounts::username.eq(username)).select(COLUMNS).first(conn).optional()?)
}

/// Finds the user that has a number.
pub(crate) fn by_user_id(conn: &mut DbConn, user: i64) -> Result<Option<UserRow>, DbError> {
    let numbered = users().filter(signal_server_accounts::user_id.eq(user));
    Ok(numbered.select(COLUMNS).first(conn).optional()?)
}

/// Lists the users who have an address, which is folded, the oldest first.
pub(crate) fn by_email(conn: &mut DbConn, folded: &str, limit: i64) -> Result<Vec<UserRow>, DbError> {
    let same = sql::<Bool>("lower(signal_server_accounts.email) = ").bind::<Text, _>(folded);
    let addressed = users().filter(same).order(signal_server_accounts::user_id).limit(limit).select(COLUMNS);
    Ok(on_backend!(conn, |c| addressed.load(c))?)
}

/// Replaces the address of a user. Tells whether there is one.
pub(crate) fn set_email(conn: &mut DbConn, account: AccountId, email: &str) -> Result<bool, DbError> {
    let changed = diesel::update(signal_server_accounts::table.find(account))
        .set(signal_server_accounts::email.eq(email))
        .execute(conn)?;
    Ok(changed > 0)
}

/// Notes that a session is one of this interface.
pub(crate) fn insert_session(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
) -> Result<(), DbError> {
    let row =
        (signal_server_sessions::account_id.eq(account), signal_server_sessions::session_id.eq(session));
    diesel::insert_into(signal_server_sessions::table).values(row).execute(conn)?;
    Ok(())
}

/// Lists an account's sessions of this interface.
pub(crate) fn sessions(conn: &mut DbConn, account: AccountId) -> Result<Vec<SessionId>, DbError> {
    let of_account = signal_server_sessions::table.filter(signal_server_sessions::account_id.eq(account));
    Ok(of_account.select(signal_server_sessions::session_id).load(conn)?)
}
