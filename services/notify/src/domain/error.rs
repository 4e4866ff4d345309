//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use web::{GateError, RateLimited};

use super::channel_name::BadName;
use crate::push::SubscriptionFault;

/// A verb of this service failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NotifyError {
    /// Text that names no channel.
    #[error(transparent)]
    BadChannel(#[from] BadName),
    /// No key of a back-end, or not a valid one.
    #[error("a valid API key is needed")]
    BadKey,
    /// The key of the back-end is for other channels.
    #[error("this API key is not for this channel")]
    ChannelForbidden,
    /// More data than the settings allow.
    #[error("the data of a notification has {limit} bytes at most")]
    TooLarge {
        /// What they allow.
        limit: usize,
    },
    /// The key was used for another publication.
    #[error("the idempotency key was used for another publication")]
    KeyReused,
    /// Nothing, or too much, to publish at once.
    #[error("between 1 and {limit} at once")]
    BatchSize {
        /// What the settings allow.
        limit: usize,
    },
    /// A token that opens nothing; which of the reasons it is, is not told.
    #[error("a valid token is needed")]
    TokenRefused,
    /// There is no such token.
    #[error("no such token")]
    NoToken,
    /// The channel has as many tokens as it may have.
    #[error("the channel has {limit} tokens already")]
    TooManyTokens {
        /// What the settings allow.
        limit: u32,
    },
    /// A life for a token that the settings do not allow.
    #[error("a token lives between 1 second and {limit} seconds")]
    TokenLife {
        /// What they allow.
        limit: u64,
    },
    /// The client is in as many channels as it may be.
    #[error("a client is in {limit} channels at most")]
    TooManyChannels {
        /// What the settings allow.
        limit: usize,
    },
    /// This server pushes nothing.
    #[error("this server does not push")]
    PushOff,
    /// Clients share the token, so that it names no device.
    #[error("clients share this token; a device that is pushed to has one of its own")]
    SharedToken,
    /// A subscription that cannot be pushed to.
    #[error(transparent)]
    Subscription(#[from] SubscriptionFault),
    /// The device is not pushed to.
    #[error("no such push subscription")]
    NoSubscription,
    /// As many devices as may be are pushed to.
    #[error("the channel pushes to {limit} devices already")]
    TooManySubscriptions {
        /// What the settings allow.
        limit: u32,
    },
    /// The keys of access tokens are not known yet.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A rate limit.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl NotifyError {
    /// The outcome of a publication, for its metric.
    pub(crate) fn outcome(&self) -> &'static str {
        if self.kind().is_fault() { "failed" } else { "refused" }
    }
}

impl AsProblem for NotifyError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::BadChannel(_) | Self::BatchSize { .. } | Self::TokenLife { .. } => ProblemKind::Invalid,
            Self::BadKey | Self::TokenRefused => ProblemKind::Unauthenticated,
            Self::ChannelForbidden => ProblemKind::Forbidden("channel-forbidden"),
            Self::TooLarge { .. } => ProblemKind::TooLarge,
            Self::KeyReused => ProblemKind::Unprocessable("idempotency-key-reused"),
            Self::NoToken => ProblemKind::NotFound("token-not-found"),
            Self::TooManyTokens { .. } => ProblemKind::Unprocessable("too-many-tokens"),
            Self::TooManyChannels { .. } => ProblemKind::Unprocessable("too-many-channels"),
            Self::PushOff => ProblemKind::NotFound("push-off"),
            Self::SharedToken => ProblemKind::Forbidden("token-shared"),
            Self::Subscription(_) => ProblemKind::Unprocessable("push-subscription-refused"),
            Self::NoSubscription => ProblemKind::NotFound("push-subscription-not-found"),
            Self::TooManySubscriptions { .. } => ProblemKind::Unprocessable("too-many-push-subscriptions"),
            Self::Gate(error) => error.kind(),
            Self::Limited(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited(error) => error.retry_after(),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}
