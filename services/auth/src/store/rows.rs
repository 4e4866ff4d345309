//! Rows as they are stored.

use common::crypto::token::HashedToken;
use common::models::{AccountId, DeviceId, InviteId, SessionId, UnixMillis};
use diesel::prelude::*;

use super::schema::{accounts, challenges, invites, refresh_tokens, revocations, sessions, totp};

/// An account.
#[derive(Insertable, Queryable)]
#[diesel(table_name = accounts)]
pub(crate) struct AccountRow {
    pub(crate) account_id: AccountId,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) created_at: UnixMillis,
}

/// A login session: one family of refresh tokens.
#[derive(Insertable, Queryable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    pub(crate) account_id: AccountId,
    pub(crate) session_id: SessionId,
    pub(crate) device_id: Option<DeviceId>,
    pub(crate) bound_at: Option<UnixMillis>,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// A refresh token, by its hash.
#[derive(Insertable, Queryable)]
#[diesel(table_name = refresh_tokens)]
pub(crate) struct RefreshTokenRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    pub(crate) session_id: SessionId,
    pub(crate) used_at: Option<UnixMillis>,
}

/// A session that ended before its access tokens did.
#[derive(Insertable, Queryable)]
#[diesel(table_name = revocations)]
pub(crate) struct RevocationRow {
    pub(crate) account_id: AccountId,
    pub(crate) session_id: SessionId,
    pub(crate) until: UnixMillis,
}

/// A code that lets somebody in.
#[derive(Insertable, Queryable)]
#[diesel(table_name = invites)]
pub(crate) struct InviteRow {
    pub(crate) invite_id: InviteId,
    pub(crate) code_hash: HashedToken,
    pub(crate) uses_left: i32,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// A second factor; it counts once it is confirmed.
#[derive(Insertable, Queryable)]
#[diesel(table_name = totp)]
pub(crate) struct TotpRow {
    pub(crate) account_id: AccountId,
    /// Sealed under the data key.
    pub(crate) secret: Vec<u8>,
    pub(crate) confirmed_at: Option<UnixMillis>,
    pub(crate) last_step: i64,
}

/// A login whose password was right, and which waits for the second factor.
#[derive(Insertable, Queryable)]
#[diesel(table_name = challenges)]
pub(crate) struct ChallengeRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    pub(crate) expires_at: UnixMillis,
}
