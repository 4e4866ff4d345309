//! What can go wrong when one service calls another, by what the caller can do about it.

use std::time::Duration;

use common::models::problem::{AsProblem, Problem, ProblemKind};

/// A failed call. `service` is the name of the service that was called.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It could not be reached, or said that it cannot work at present: try again later.
    #[error("{service} is unavailable")]
    Unavailable {
        /// Who was called.
        service: &'static str,
        /// What the transport said, if it was the transport.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// It gave no answer in time; the call may have had its effect.
    #[error("{service} gave no answer in time")]
    Timeout {
        /// Who was called.
        service: &'static str,
    },
    /// It understood and refused. The domain decides what a status means to it.
    #[error("{service} refused with status {status}")]
    Refused {
        /// Who was called.
        service: &'static str,
        /// The status of the answer, 400 to 599.
        status: u16,
        /// The body, when it was a problem.
        problem: Option<Box<Problem>>,
    },
    /// Its answer is not what the contract says: the two do not fit together.
    #[error("{service} gave an answer that cannot be understood: {reason}")]
    BadAnswer {
        /// Who was called.
        service: &'static str,
        /// What is wrong, without the body.
        reason: String,
    },
    /// The client itself cannot be made: TLS without roots, a URL that takes no path.
    #[error("client settings: {0}")]
    Settings(String),
}

impl ClientError {
    /// The status of a refusal; `None` for everything else.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }

    pub(crate) fn transport(service: &'static str, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout { service }
        } else if error.is_decode() || error.is_body() {
            Self::BadAnswer { service, reason: "the body is not the JSON expected".to_owned() }
        } else {
            Self::Unavailable { service, source: Some(error) }
        }
    }
}

impl AsProblem for ClientError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Unavailable { .. } => ProblemKind::Unavailable,
            Self::Timeout { .. } => ProblemKind::Timeout,
            Self::Refused { .. } | Self::BadAnswer { .. } => ProblemKind::BadGateway,
            Self::Settings(_) => ProblemKind::Internal,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.is_transient().then_some(Duration::from_secs(1))
    }
}
