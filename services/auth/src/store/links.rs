//! Tokens that let another device of an account in.

use common::crypto::token::HashedToken;
use common::models::{AccountId, SessionId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::LinkTokenRow;
use super::schema::link_tokens;

/// Stores a token in the place of those that the session has made and nobody has used.
pub(crate) fn replace(conn: &mut DbConn, token: LinkTokenRow) -> Result<(), DbError> {
    let unused = link_tokens::table
        .filter(link_tokens::account_id.eq(token.account_id))
        .filter(link_tokens::session_id.eq(token.session_id))
        .filter(link_tokens::linked_session_id.is_null());
    diesel::delete(unused).execute(conn)?;
    diesel::insert_into(link_tokens::table).values(token).execute(conn)?;
    Ok(())
}

/// Finds a token, used or not, that is remembered at `now`.
pub(crate) fn find(
    conn: &mut DbConn,
    account: AccountId,
    hash: HashedToken,
    now: UnixMillis,
) -> Result<Option<LinkTokenRow>, DbError> {
    let remembered = link_tokens::table.find((account, hash)).filter(link_tokens::expires_at.gt(now));
    Ok(remembered.first(conn).optional()?)
}

/// Uses a token up for the session `linked`, and remembers it until `until`. Tells whether it was unused: of two that try
/// at once, one is told so.
pub(crate) fn take(
    conn: &mut DbConn,
    (account, hash): (AccountId, HashedToken),
    linked: SessionId,
    retry_hash: Option<HashedToken>,
    until: UnixMillis,
) -> Result<bool, DbError> {
    let unused = link_tokens::table.find((account, hash)).filter(link_tokens::linked_session_id.is_null());
    let used = (
        link_tokens::linked_session_id.eq(Some(linked)),
        link_tokens::retry_hash.eq(retry_hash),
        link_tokens::expires_at.eq(until),
    );
    Ok(diesel::update(unused).set(used).execute(conn)? == 1)
}

/// Removes all tokens of an account: its password is another one now.
pub(crate) fn delete_of(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(link_tokens::table.filter(link_tokens::account_id.eq(account))).execute(conn)?;
    Ok(())
}
