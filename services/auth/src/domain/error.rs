//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use common::crypto::data_key::NotOurs;
use common::crypto::password::PasswordError;
use common::crypto::secret::Secret;
use common::crypto::token::NoRandomness;
use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use serde_json::{Map, Value};
use web::RateLimited;

use super::phone::JobError;

/// A verb of this service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// This server creates no accounts by this way; asking again will not help.
    #[error("this server is closed for registration")]
    RegistrationClosed,
    /// The invite is missing, unknown, used up or expired: which of them is not told.
    #[error("a valid invite is needed")]
    InviteNeeded,
    /// There is no such invite.
    #[error("no such invite")]
    NoInvite,
    /// Somebody else has the name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Wrong name, wrong password, unknown or used token: which of them is not told.
    #[error("these credentials are not valid")]
    BadCredentials,
    /// The password was right, and a code of the second factor is needed as well.
    #[error("a code of the second factor is needed")]
    TotpRequired {
        /// What the second call has to show beside the code.
        challenge: Secret<String>,
    },
    /// No code of the second factor, or one that was used: which of them is not told.
    #[error("this code is not valid")]
    WrongCode,
    /// The account has a second factor already.
    #[error("the second factor is active already")]
    TotpActive,
    /// The account has no second factor (that this could be about).
    #[error("there is no second factor")]
    TotpNotBegun,
    /// This server sends no mail.
    #[error("this server sends no mail")]
    NoMail,
    /// The token of a mail is unknown, used or expired: which of them is not told.
    #[error("the code of this mail is not valid (any more)")]
    BadMailToken,
    /// The address identifies another account. Told only to somebody who reads what is sent there.
    #[error("the address belongs to another account")]
    EmailTaken,
    /// This server sends no codes by SMS.
    #[error("this server sends no codes by SMS")]
    NoSms,
    /// There is no such verification of a number (any more).
    #[error("no such verification")]
    NoVerification,
    /// The number is verified already.
    #[error("the number is verified already")]
    Verified,
    /// No SMS or no check is left, or no code was sent yet.
    #[error("nothing is left of this verification; begin another")]
    VerificationExhausted,
    /// A verified number is needed.
    #[error("a verified phone number is needed")]
    PhoneUnverified,
    /// The number identifies another account. Told only to somebody who reads what is sent there.
    #[error("the number belongs to another account")]
    PhoneTaken,
    /// The link token is unknown, used, expired or void: which of them is not told.
    #[error("the link token is not valid (any more)")]
    BadLinkToken,
    /// The account has no such link token (any more), or the session that it opened has ended.
    #[error("no such link token")]
    NoLinkToken,
    /// The session or its account is gone: a late call finds none.
    #[error("no such session")]
    NoSession,
    /// The session belongs to another device already.
    #[error("the session is bound to another device")]
    BoundElsewhere,
    /// There is no such account, or it was deleted.
    #[error("no such account")]
    NoAccount,
    /// What a page is asked for with is not from the page before.
    #[error("not what the page before has given for the next")]
    BadCursor,
    /// Too many wrong guesses at this password or code, whoever made them.
    #[error("too many wrong attempts; try again later")]
    TooManyAttempts {
        /// When the next guess is looked at.
        retry_after: Duration,
    },
    /// Too many requests of a kind.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// More logins wait for the password hash than are allowed to.
    #[error("too many logins at once")]
    Busy,
    /// The system failed us: no randomness, no thread.
    #[error("internal failure: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<NoRandomness> for AuthError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<PasswordError> for AuthError {
    fn from(error: PasswordError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<NotOurs> for AuthError {
    fn from(error: NotOurs) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<JobError> for AuthError {
    fn from(error: JobError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl AsProblem for AuthError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::RegistrationClosed => ProblemKind::Forbidden("registration-closed"),
            Self::InviteNeeded => ProblemKind::Forbidden("invite-needed"),
            Self::NoInvite => ProblemKind::NotFound("invite-not-found"),
            Self::UsernameTaken => ProblemKind::Conflict("username-taken"),
            Self::BadCredentials => ProblemKind::Unauthenticated,
            Self::TotpRequired { .. } => ProblemKind::StepUp("totp-required"),
            Self::WrongCode => ProblemKind::StepUp("wrong-code"),
            Self::TotpActive => ProblemKind::Conflict("totp-active"),
            Self::TotpNotBegun => ProblemKind::NotFound("totp-not-found"),
            Self::NoMail => ProblemKind::Unprocessable("mail-not-configured"),
            Self::BadMailToken => ProblemKind::Unprocessable("invalid-mail-token"),
            Self::EmailTaken => ProblemKind::Conflict("email-taken"),
            Self::NoSms => ProblemKind::Unprocessable("sms-not-configured"),
            Self::NoVerification => ProblemKind::NotFound("verification-not-found"),
            Self::Verified => ProblemKind::Conflict("already-verified"),
            Self::VerificationExhausted => ProblemKind::Conflict("verification-exhausted"),
            Self::PhoneUnverified => ProblemKind::Forbidden("phone-verification-needed"),
            Self::PhoneTaken => ProblemKind::Conflict("phone-taken"),
            Self::BadLinkToken => ProblemKind::Forbidden("invalid-link-token"),
            Self::NoLinkToken => ProblemKind::NotFound("link-token-not-found"),
            Self::NoSession => ProblemKind::NotFound("session-not-found"),
            Self::BoundElsewhere => ProblemKind::Conflict("session-bound"),
            Self::NoAccount => ProblemKind::NotFound("account-not-found"),
            Self::BadCursor => ProblemKind::Invalid,
            Self::TooManyAttempts { .. } => ProblemKind::RateLimited,
            Self::RateLimited(error) => error.kind(),
            Self::Busy => ProblemKind::Unavailable,
            Self::Internal(_) => ProblemKind::Internal,
            Self::Db(error) => error.kind(),
        }
    }

    /// The challenge goes to whoever has just shown the password, and nowhere else.
    fn extensions(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Self::TotpRequired { challenge } = self {
            members.insert("challenge".to_owned(), challenge.expose().as_str().into());
        }
        members
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            Self::RateLimited(error) => error.retry_after(),
            Self::Busy => Some(Duration::from_secs(1)),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}
