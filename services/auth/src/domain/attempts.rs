//! Guesses that are counted: of passwords, of codes. The buckets are in the database, so that more pods or a restart
//! give nobody more guesses.
//!
//! A guess is paid for before it is looked at, and paid back when it was right: however many come at once, no more
//! are looked at than the bucket has.

use common::models::AccountId;
use db::{DbConn, DbError};
use web::Bucket;

use super::AuthError;
use crate::app::State;
use crate::store::attempts;

/// What is guessed at, as the keyed hash that the table has.
#[derive(Clone, Copy)]
pub(crate) struct Subject([u8; 32]);

impl Subject {
    /// The password of an account.
    pub(crate) fn password(state: &State, account: AccountId) -> Self {
        Self(state.data_key.mac("attempts of an account's password", &[account.as_str().as_bytes()]))
    }

    /// The second factor of an account.
    pub(crate) fn code(state: &State, account: AccountId) -> Self {
        Self(state.data_key.mac("attempts of an account's second factor", &[account.as_str().as_bytes()]))
    }

    /// The SMS that a number gets.
    pub(crate) fn phone(state: &State, phone: &str) -> Self {
        Self(state.data_key.mac("SMS to a number", &[phone.as_bytes()]))
    }

    /// Its row's key.
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The password of a name that nobody has: it must look like any other.
    pub(crate) fn unknown(state: &State, name: &str) -> Self {
        Self(state.data_key.mac("attempts of an unknown name", &[name.as_bytes()]))
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
    let wait = state
        .db
        .write(move |conn| {
            let full_at = attempts::lock(conn, &subject.0, now)?;
            match bucket.take(full_at, now) {
                Ok(later) => attempts::set(conn, &subject.0, later).map(|()| None),
                Err(wait) => Ok(Some(wait)),
            }
        })
        .await?;
    match wait {
        None => Ok(()),
        Some(retry_after) => {
            state.metrics.attempts_refused_total.inc();
            Err(AuthError::TooManyAttempts { retry_after })
        }
    }
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
