//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use common::crypto::data_key::NotOurs;
use common::crypto::oaep::{InvalidRsaKey, OaepFailed};
use common::crypto::token::NoRandomness;
use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use web::RateLimited;

use crate::users::UserApiError;

/// A verb of this service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// No such session, or another URL of it counts by now.
    #[error("no such session")]
    NoSession,
    /// A public key that cannot be used.
    #[error(transparent)]
    BadKey(#[from] InvalidRsaKey),
    /// The session has a key already, or is done.
    #[error("the session has its key")]
    KeyIsSet,
    /// What should be a password was not encrypted with the key of this server, or is no text.
    #[error("not encrypted with the key of this server")]
    Undecryptable,
    /// The shared key does not fit under the device's key.
    #[error(transparent)]
    Unencryptable(#[from] OaepFailed),
    /// A wrong password, or a user that does not exist.
    #[error("the password is not the user's")]
    WrongPassword,
    /// Too many wrong passwords came before.
    #[error("too many wrong passwords")]
    TooManyGuesses {
        /// After which passwords are looked at again.
        retry_after: Duration,
    },
    /// Nobody has this number.
    #[error("no user has this number")]
    NoUser,
    /// The user has no such device (any more).
    #[error("no such device")]
    NoDevice,
    /// The one who keeps the accounts cannot be asked.
    #[error("the accounts cannot be asked")]
    Accounts(#[source] UserApiError),
    /// This process shows as many sessions as it may.
    #[error("too many sessions are shown at the moment")]
    Busy,
    /// A key in the table that does not open.
    #[error("a shared key in the table: {0}")]
    Sealed(#[from] NotOurs),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A rate limit.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl SyncError {
    /// The outcome of a call that failed so, for its metric.
    pub(crate) fn outcome(&self) -> &'static str {
        if self.kind().is_fault() { "failed" } else { "refused" }
    }
}

impl AsProblem for SyncError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::NoSession => ProblemKind::NotFound("session-not-found"),
            Self::BadKey(_) | Self::Undecryptable | Self::Unencryptable(_) => ProblemKind::Invalid,
            Self::KeyIsSet => ProblemKind::Conflict("session-has-key"),
            Self::WrongPassword => ProblemKind::Unauthenticated,
            Self::TooManyGuesses { .. } => ProblemKind::RateLimited,
            Self::NoUser => ProblemKind::NotFound("user-not-found"),
            Self::NoDevice => ProblemKind::NotFound("device-not-found"),
            Self::Accounts(_) | Self::Busy => ProblemKind::Unavailable,
            Self::Sealed(_) | Self::Random(_) => ProblemKind::Internal,
            Self::Limited(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyGuesses { retry_after } => Some(*retry_after),
            Self::Busy => Some(Duration::from_secs(5)),
            Self::Limited(error) => error.retry_after(),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}
