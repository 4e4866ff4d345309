//! A password reset by mail. The address is what the user gave, confirmed or not: to read what is sent there is what
//! counts, as in the original.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::Secret;
use common::crypto::token::PlainToken;
use common::models::UnixMillis;
use db::{DbConn, DbError};

use super::{ContactAddress, password_faults};
use crate::app::State;
use crate::domain::{AuthError, Password, mail};
use crate::store::rows::{AccountRow, Purpose};
use crate::store::signal_server::UserRow;
use crate::store::{mails, signal_server};

/// Writes a user's number as it is in links: its decimal digits in base64url.
pub(crate) fn uid(user: i64) -> String {
    URL_SAFE_NO_PAD.encode(user.to_string())
}

/// What is in the link of a mail.
pub(crate) struct ResetKey<'a> {
    pub(crate) uid: &'a str,
    pub(crate) token: &'a str,
}

/// Why a key resets nothing, or what is wrong with the password.
pub(crate) enum UsedKey {
    /// The password was set.
    Reset,
    /// There is no such user.
    UnknownUser,
    /// The token is unknown, used or expired: which of them is not told.
    BadToken,
    /// The password breaks rules.
    Faults(Vec<&'static str>),
}

/// Asks for a mail. Whether anybody has the address is looked up when the mail is sent, so that nothing here depends
/// on it.
///
/// # Errors
/// [`AuthError::NoMail`] when this server sends none.
pub(crate) async fn request_reset(state: &State, email: &ContactAddress) -> Result<(), AuthError> {
    mail::request(state, email.folded(), Purpose::ResetSignalServer).await
}

/// Tells whether a key would set a password.
///
/// # Errors
/// Those of the database.
pub(crate) async fn is_usable(state: &State, key: &ResetKey<'_>) -> Result<bool, AuthError> {
    match (owner(state, key.uid).await?, key.token.parse::<PlainToken>()) {
        (Some(user), Ok(token)) => has_token(state, &user, &token).await,
        _ => Ok(false),
    }
}

/// Sets a new password, and ends all sessions.
///
/// # Errors
/// [`AuthError::Busy`], those of the database.
pub(crate) async fn reset(state: &State, key: ResetKey<'_>, new: &str) -> Result<UsedKey, AuthError> {
    let Some(user) = owner(state, key.uid).await? else { return Ok(UsedKey::UnknownUser) };
    let Ok(token) = key.token.parse::<PlainToken>() else { return Ok(UsedKey::BadToken) };
    if !has_token(state, &user, &token).await? {
        return Ok(UsedKey::BadToken);
    }
    let faults = password_faults(new, &user.username, &user.email);
    let new = match Password::try_from(Secret::from(new)) {
        Ok(new) if faults.is_empty() => new,
        _ => return Ok(UsedKey::Faults(faults)),
    };
    let spent = mail::Spent {
        account: user.account_id,
        hash: token.hashed(),
        purpose: Purpose::ResetSignalServer,
        still_theirs: |conn: &mut DbConn, row: &AccountRow, email: &str| has_address(conn, row, email),
    };
    match mail::set_password(state, spent, new).await {
        Ok(()) => Ok(UsedKey::Reset),
        Err(AuthError::BadMailToken) => Ok(UsedKey::BadToken),
        Err(error) => Err(error),
    }
}

/// Tells whether a user has this number, as it is in links.
///
/// # Errors
/// Those of the database.
pub(crate) async fn is_user(state: &State, uid: &str) -> Result<bool, AuthError> {
    Ok(owner(state, uid).await?.is_some())
}

async fn owner(state: &State, uid: &str) -> Result<Option<UserRow>, AuthError> {
    let digits = URL_SAFE_NO_PAD.decode(uid).ok().and_then(|octets| String::from_utf8(octets).ok());
    let Some(user) = digits.and_then(|digits| digits.parse().ok()) else { return Ok(None) };
    Ok(state.db.read(move |conn| signal_server::by_user_id(conn, user)).await?)
}

async fn has_token(state: &State, user: &UserRow, token: &PlainToken) -> Result<bool, AuthError> {
    let (account, hash, now): (_, _, UnixMillis) = (user.account_id, token.hashed(), state.clock.now());
    let found =
        state.db.read(move |conn| mails::find_token(conn, account, hash, Purpose::ResetSignalServer, now));
    Ok(found.await?.is_some())
}

fn has_address(conn: &mut DbConn, row: &AccountRow, email: &str) -> Result<bool, DbError> {
    let user = signal_server::find(conn, row.account_id)?;
    Ok(user.is_some_and(|user| user.email.eq_ignore_ascii_case(email)))
}
