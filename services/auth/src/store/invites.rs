//! Invites.

use common::crypto::token::HashedToken;
use common::models::{InviteId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::InviteRow;
use super::schema::invites;

/// Stores a new invite.
pub(crate) fn insert(conn: &mut DbConn, invite: InviteRow) -> Result<(), DbError> {
    diesel::insert_into(invites::table).values(invite).execute(conn)?;
    Ok(())
}

/// Uses an invite once. Tells whether it had a use left: of two that try at once for the last, one is told so.
pub(crate) fn take(conn: &mut DbConn, code: HashedToken, now: UnixMillis) -> Result<bool, DbError> {
    let usable = invites::table
        .filter(invites::code_hash.eq(code))
        .filter(invites::uses_left.gt(0))
        .filter(invites::expires_at.gt(now));
    Ok(diesel::update(usable).set(invites::uses_left.eq(invites::uses_left - 1)).execute(conn)? == 1)
}

/// Reads all that can still be used, the newest first.
pub(crate) fn usable(conn: &mut DbConn, now: UnixMillis) -> Result<Vec<InviteRow>, DbError> {
    let usable = invites::table.filter(invites::uses_left.gt(0)).filter(invites::expires_at.gt(now));
    Ok(usable.order(invites::invite_id.desc()).load(conn)?)
}

/// Removes one. Tells whether there was one.
pub(crate) fn delete(conn: &mut DbConn, invite: InviteId) -> Result<bool, DbError> {
    Ok(diesel::delete(invites::table.find(invite)).execute(conn)? == 1)
}
