//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use clients::ClientError;
use common::crypto::token::NoRandomness;
use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use web::RateLimited;

use crate::broker::BrokerError;

/// A verb of this service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// No credentials of a gateway client, or wrong ones; which of the two is not told.
    #[error("valid credentials of a gateway client are needed")]
    BadCredentials,
    /// No signature of Twilio's, or a wrong one.
    #[error("a valid signature is needed")]
    BadSignature,
    /// A client calls in the name of another one.
    #[error("these are the credentials of another client")]
    OtherClient,
    /// The SIM was first seen at another client.
    #[error("this IMSI belongs to another client")]
    OtherClientsImsi,
    /// A client tells of too many modems.
    #[error("a client has {limit} modems at most")]
    TooManySeeds {
        /// What the settings allow.
        limit: u32,
    },
    /// There is no such client.
    #[error("no such gateway client")]
    NoClient,
    /// There are as many clients as there may be.
    #[error("there are {limit} gateway clients already")]
    TooManyClients {
        /// What the settings allow.
        limit: u32,
    },
    /// The text is longer than any SMS.
    #[error("the text of an SMS has {limit} bytes at most")]
    TooLong {
        /// What the settings allow.
        limit: usize,
    },
    /// As many SMS wait for the publisher as may.
    #[error("too many SMS wait for the publisher")]
    Full,
    /// The text is no encrypted message.
    #[error("the text is not an encrypted message")]
    Undecodable,
    /// Nobody has this number, or none of its keys fits; which of the two is not told.
    #[error("the message is not one of this sender's")]
    NotTheSenders,
    /// The keys of the sender cannot be had at present.
    #[error("the sender's keys cannot be looked up: {0}")]
    Keys(#[source] ClientError),
    /// The broker cannot be reached, or did not confirm.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The system gives no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A rate limit.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AsProblem for RelayError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::BadCredentials => ProblemKind::Unauthenticated,
            Self::BadSignature => ProblemKind::Forbidden("bad-signature"),
            Self::OtherClient => ProblemKind::Forbidden("other-client"),
            Self::OtherClientsImsi => ProblemKind::Forbidden("imsi-of-another-client"),
            Self::TooManySeeds { .. } => ProblemKind::Unprocessable("too-many-seeds"),
            Self::NoClient => ProblemKind::NotFound("gateway-client-not-found"),
            Self::TooManyClients { .. } => ProblemKind::Unprocessable("too-many-gateway-clients"),
            Self::TooLong { .. } => ProblemKind::TooLarge,
            Self::Undecodable => ProblemKind::Invalid,
            Self::NotTheSenders => ProblemKind::Forbidden("not-the-senders"),
            // Whatever it is about, the SMS was not stored and can be handed in again.
            Self::Full | Self::Keys(_) | Self::Broker(_) => ProblemKind::Unavailable,
            Self::Random(_) => ProblemKind::Internal,
            Self::Limited(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited(error) => error.retry_after(),
            Self::Db(error) => error.retry_after(),
            Self::Full => Some(Duration::from_secs(60)),
            Self::Keys(_) | Self::Broker(_) => Some(Duration::from_secs(2)),
            _ => None,
        }
    }
}
