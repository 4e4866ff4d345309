//! Guesses that are counted: of passwords, of codes. The buckets are in the database, so that more pods or a restart
//! give nobody more guesses.
//!
//! A guess is paid for before it is looked at, and paid back when it was right: however many come at once, no more
//! are looked at than the bucket has.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError};
use tokio::sync::MutexGuard;
use web::Bucket;

use super::AuthError;
use super::turns::Turns;
use crate::app::State;
use crate::store::{accounts, attempts};

/// What is guessed at, as the keyed hash that the table has.
#[derive(Clone, Copy)]
pub(crate) struct Subject([u8; 32]);

impl Subject {
    /// The password of an account, as it is shown to log in.
    pub(crate) fn password(state: &State, account: AccountId) -> Self {
        Self(state.data_key.mac("attempts of an account's password", &[account.as_str().as_bytes()]))
    }

    /// The password of an account, shown once more by somebody who is logged in. Strangers have no part in it: however much
    /// they guess, its owner can still change the password, or delete the account.
    pub(crate) fn confirmation(state: &State, account: AccountId) -> Self {
        Self(state.data_key.mac("attempts of a password in a session", &[account.as_str().as_bytes()]))
    }

    /// All that is counted of an account's password.
    pub(crate) fn passwords(state: &State, account: AccountId) -> [Self; 2] {
        [Self::password(state, account), Self::confirmation(state, account)]
    }

    /// The second factor of an account.
    pub(crate) fn code(state: &State, account: AccountId) -> Self {
        Self(state.data_key.mac("attempts of an account's second factor", &[account.as_str().as_bytes()]))
    }

    /// The SMS that a number gets.
    pub(crate) fn phone(state: &State, phone: &str) -> Self {
        Self(state.data_key.mac("SMS to a number", &[phone.as_bytes()]))
    }

    /// The SMS that all numbers together get.
    pub(crate) fn all_phones(state: &State) -> Self {
        Self(state.data_key.mac("SMS to all numbers", &[]))
    }

    /// The password that goes with a name, by whichever interface it is guessed at. They know different accounts, and let
    /// different ones in: counted apart, guesses by one and then by another would tell which.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn login(state: &State, username: &str) -> Result<Self, AuthError> {
        let written = username.to_owned();
        let found = state.db.read(move |conn| accounts::by_login(conn, &written)).await?;
        Ok(match found {
            Some(row) => Self::password(state, row.account_id),
            None => Self::unknown(state, &username.to_ascii_lowercase()),
        })
    }

    /// The password of a name that nobody has: it must look like any other.
    pub(super) fn unknown(state: &State, name: &str) -> Self {
        Self(state.data_key.mac("attempts of an unknown name", &[name.as_bytes()]))
    }

    /// Waits until nobody else guesses at it here.
    pub(super) async fn turn<'a>(&self, turns: &'a Turns) -> Option<MutexGuard<'a, ()>> {
        turns.of(&self.0).await
    }

    /// Forgets what was counted, with what it was counted for.
    pub(crate) fn forget(self, conn: &mut DbConn) -> Result<(), DbError> {
        attempts::delete(conn, &self.0)
    }
}

/// Pays for a guess.
///
/// # Errors
/// [`AuthError::TooManyAttempts`].
pub(crate) async fn spend(state: &State, bucket: Bucket, subject: Subject) -> Result<(), AuthError> {
    let now = state.clock.now();
    let spent = state.db.write(move |conn| take(conn, bucket, subject, now)).await;
    if matches!(spent, Err(AuthError::TooManyAttempts { .. })) {
        state.metrics.attempts_refused_total.inc();
    }
    spent
}

/// Pays for something within the caller's transaction.
///
/// # Errors
/// [`AuthError::TooManyAttempts`].
pub(super) fn take(
    conn: &mut DbConn,
    bucket: Bucket,
    subject: Subject,
    now: UnixMillis,
) -> Result<(), AuthError> {
    let full_at = attempts::lock(conn, &subject.0, now)?;
    let later =
        bucket.take(full_at, now).map_err(|retry_after| AuthError::TooManyAttempts { retry_after })?;
    Ok(attempts::set(conn, &subject.0, later)?)
}

/// Pays a guess back, as it was right or never looked at.
pub(crate) async fn put_back(state: &State, bucket: Bucket, subject: Subject) -> Result<(), AuthError> {
    let now = state.clock.now();
    state
        .db
        .write(move |conn| {
            let full_at = attempts::lock(conn, &subject.0, now)?;
            attempts::set(conn, &subject.0, bucket.put_back(full_at))
        })
        .await
        .map_err(AuthError::from)
}
