//! What takes the submissions of a link: a bind of an SMSC, or a provider over HTTP.

use common::models::sms::SmscName;
use smpp::esme::{Esme, EsmeState, EsmeStats};

use super::http::{self, HttpBackend};

/// One of the two; clones are the same one.
#[derive(Clone)]
pub(super) enum Submitter {
    /// A bind.
    Esme(Esme),
    /// A provider.
    Http(HttpBackend),
}

/// A segment for a bind, or a message for a provider.
pub(crate) enum Submission {
    /// As submit_sm.
    Segment(smpp::esme::Submission),
    /// Whole.
    Message(http::Submission),
}

impl Submission {
    /// Makes one for a provider.
    pub(crate) fn message(token: u64, message: crate::domain::provider::Message) -> Self {
        Self::Message(http::Submission { token, message })
    }
}

impl Submitter {
    /// Tells whether submissions can go out now.
    pub(super) fn is_usable(&self) -> bool {
        match self {
            Self::Esme(esme) => esme.state() == EsmeState::Bound,
            Self::Http(backend) => backend.is_usable(),
        }
    }

    /// Gives the counters.
    pub(super) fn stats(&self) -> EsmeStats {
        match self {
            Self::Esme(esme) => esme.stats(),
            Self::Http(backend) => backend.stats(),
        }
    }

    /// Hands over what is of its kind; a link makes nothing else.
    pub(super) async fn submit(&self, name: &SmscName, submissions: Vec<Submission>) {
        match self {
            Self::Esme(esme) => {
                let segments = submissions.into_iter().filter_map(|one| match one {
                    Submission::Segment(segment) => Some(segment),
                    Submission::Message(_) => None,
                });
                if esme.submit(segments.collect()).await.is_err() {
                    tracing::debug!(smsc = %name, "the session ended before it took all submissions");
                }
            }
            Self::Http(backend) => {
                let messages = submissions.into_iter().filter_map(|one| match one {
                    Submission::Message(message) => Some(message),
                    Submission::Segment(_) => None,
                });
                backend.submit(messages.collect()).await;
            }
        }
    }

    /// Ends it; its events must be read meanwhile.
    pub(super) async fn shutdown(&self) {
        match self {
            Self::Esme(esme) => esme.shutdown().await,
            Self::Http(backend) => backend.shutdown(),
        }
    }
}
