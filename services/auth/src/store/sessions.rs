//! Sessions and their refresh tokens.

use common::crypto::token::HashedToken;
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::{RefreshTokenRow, SessionRow};
use super::schema::{refresh_tokens, sessions};

/// Stores a new session.
pub(crate) fn insert(conn: &mut DbConn, session: SessionRow) -> Result<(), DbError> {
    diesel::insert_into(sessions::table).values(session).execute(conn)?;
    Ok(())
}

/// Finds a session.
pub(crate) fn find(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
) -> Result<Option<SessionRow>, DbError> {
    Ok(sessions::table.find((account, session)).first(conn).optional()?)
}

/// Reads a session and keeps it as it is until the transaction ends.
pub(crate) fn lock(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
) -> Result<Option<SessionRow>, DbError> {
    let row = sessions::table.find((account, session));
    Ok(match conn {
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    })
}

/// Lists an account's sessions, in the order in which they are ended.
pub(crate) fn of_account(conn: &mut DbConn, account: AccountId) -> Result<Vec<SessionId>, DbError> {
    let of_account = sessions::table.filter(sessions::account_id.eq(account));
    Ok(of_account.order(sessions::session_id).select(sessions::session_id).load(conn)?)
}

/// Reads an account's sessions that have not expired, the newest first.
pub(crate) fn live(
    conn: &mut DbConn,
    account: AccountId,
    now: UnixMillis,
) -> Result<Vec<SessionRow>, DbError> {
    let live = sessions::table.filter(sessions::account_id.eq(account)).filter(sessions::expires_at.gt(now));
    Ok(live.order((sessions::created_at.desc(), sessions::session_id.desc())).load(conn)?)
}

/// Reads on which day each device of an account last asked for tokens, as far as it has sessions.
pub(crate) fn seen(
    conn: &mut DbConn,
    account: AccountId,
    now: UnixMillis,
) -> Result<Vec<(DeviceId, UnixMillis)>, DbError> {
    let live = sessions::table.filter(sessions::account_id.eq(account)).filter(sessions::expires_at.gt(now));
    let bound = live.filter(sessions::device_id.is_not_null()).group_by(sessions::device_id);
    let found: Vec<(Option<DeviceId>, Option<UnixMillis>)> =
        bound.select((sessions::device_id, diesel::dsl::max(sessions::seen_at))).load(conn)?;
    Ok(found.into_iter().filter_map(|(device, at)| Some((device?, at?))).collect())
}

/// Ties a session to a device.
pub(crate) fn bind(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
    device: DeviceId,
    now: UnixMillis,
) -> Result<(), DbError> {
    diesel::update(sessions::table.find((account, session)))
        .set((sessions::device_id.eq(Some(device)), sessions::bound_at.eq(Some(now))))
        .execute(conn)?;
    Ok(())
}

/// Lists the sessions that a device had at `at`, in that order, too; one that replaced it later under the same number keeps its own.
pub(crate) fn bound_before(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
    at: UnixMillis,
) -> Result<Vec<SessionId>, DbError> {
    let bound = sessions::table
        .filter(sessions::account_id.eq(account))
        .filter(sessions::device_id.eq(Some(device)))
        .filter(sessions::bound_at.le(Some(at)));
    Ok(bound.order(sessions::session_id).select(sessions::session_id).load(conn)?)
}

/// Moves a session's end, and notes the day.
pub(crate) fn extend(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
    expires_at: UnixMillis,
    now: UnixMillis,
) -> Result<(), DbError> {
    diesel::update(sessions::table.find((account, session)))
        .set((sessions::expires_at.eq(expires_at), sessions::seen_at.eq(now.day())))
        .execute(conn)?;
    Ok(())
}

/// Removes a session and its refresh tokens. Tells whether there was one.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId, session: SessionId) -> Result<bool, DbError> {
    Ok(diesel::delete(sessions::table.find((account, session))).execute(conn)? == 1)
}

/// Lists up to `limit` sessions that ended by themselves.
pub(crate) fn expired(
    conn: &mut DbConn,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<(AccountId, SessionId)>, DbError> {
    let expired = sessions::table.filter(sessions::expires_at.le(now)).limit(limit);
    Ok(expired.select((sessions::account_id, sessions::session_id)).load(conn)?)
}

/// Stores a fresh refresh token.
pub(crate) fn insert_token(conn: &mut DbConn, token: RefreshTokenRow) -> Result<(), DbError> {
    diesel::insert_into(refresh_tokens::table).values(token).execute(conn)?;
    Ok(())
}

/// Finds a refresh token, used or not.
pub(crate) fn find_token(
    conn: &mut DbConn,
    account: AccountId,
    hash: HashedToken,
) -> Result<Option<RefreshTokenRow>, DbError> {
    Ok(refresh_tokens::table.find((account, hash)).first(conn).optional()?)
}

/// Uses a refresh token up. Tells whether it was unused: of two that try at once, one is told so.
pub(crate) fn use_token(
    conn: &mut DbConn,
    account: AccountId,
    hash: HashedToken,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let unused = refresh_tokens::table.find((account, hash)).filter(refresh_tokens::used_at.is_null());
    Ok(diesel::update(unused).set(refresh_tokens::used_at.eq(Some(now))).execute(conn)? == 1)
}

/// Forgets all refresh tokens of a session, because others take their place.
pub(crate) fn delete_tokens(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
) -> Result<(), DbError> {
    let of_session = refresh_tokens::table
        .filter(refresh_tokens::account_id.eq(account))
        .filter(refresh_tokens::session_id.eq(session));
    diesel::delete(of_session).execute(conn)?;
    Ok(())
}
