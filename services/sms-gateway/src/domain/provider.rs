//! Providers that take messages over HTTP: how a message becomes a request, and what an answer means. No I/O.
//!
//! In: a [`Message`], and later the [`Answer`] to its request, which may be anything. Out: a [`Request`] and a
//! [`Verdict`]. What must hold: only an answer that says so counts as accepted or refused, anything else is unknown; no
//! text of a message can leave its place in a request; no verdict quotes a message, a number or a password.

pub(crate) mod answer;
pub(crate) mod callback;
pub(crate) mod generic;
pub(crate) mod rule;
pub(crate) mod template;
pub(crate) mod wasp;
pub(crate) mod wording;

use std::time::Duration;

use common::crypto::sms_payload::SmsPayload;
use common::models::sms::JobId;
use common::models::{E164, UnixMillis};
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

pub(crate) use answer::Answer;
pub(crate) use generic::Generic;
pub(crate) use wasp::Wasp;

/// The provider of one back end.
pub(crate) enum Provider {
    /// With the interface WASP.
    Wasp(Wasp),
    /// As the settings describe it.
    Generic(Box<Generic>),
}

impl Provider {
    /// Counts the URLs at which it takes messages; one at least.
    pub(crate) fn urls(&self) -> usize {
        match self {
            Self::Wasp(wasp) => wasp.urls.len().max(1),
            Self::Generic(_) => 1,
        }
    }

    /// Tells whether any of them needs TLS.
    pub(crate) fn needs_tls(&self) -> bool {
        match self {
            Self::Wasp(wasp) => wasp.urls.iter().any(|url| url.scheme() == "https"),
            Self::Generic(generic) => generic.url.needs_tls(),
        }
    }

    /// Writes a message as a request to the URL at `index`.
    ///
    /// # Errors
    /// [`Unwritable`], see its variants.
    pub(crate) fn request(
        &self,
        index: usize,
        message: &Message,
        now: UnixMillis,
    ) -> Result<Request, Unwritable> {
        match self {
            Self::Wasp(wasp) => wasp.request(index, message),
            Self::Generic(generic) => generic.request(message, now),
        }
    }

    /// Tells what an answer means.
    pub(crate) fn read(&self, answer: &Answer, message: &Message, now: UnixMillis) -> Verdict {
        match self {
            Self::Wasp(wasp) => wasp.read(answer, message, now),
            Self::Generic(generic) => generic.read(answer, message, now),
        }
    }
}

/// A message as a provider gets it: whole, however long it is.
pub(crate) struct Message {
    /// Who receives it.
    pub(crate) to: E164,
    /// Sender and text.
    pub(crate) payload: SmsPayload,
    /// The same in each try of one attempt.
    pub(crate) reference: JobId,
    /// When it is too late to deliver.
    pub(crate) deadline: UnixMillis,
}

impl Message {
    /// Shows the sender; intake has seen to it that there is one.
    pub(crate) fn sender(&self) -> &str {
        self.payload.sender().unwrap_or_default()
    }
}

/// An HTTP request that is ready to be sent.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why a message cannot be written as a request. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    /// XML 1.0 §2.2 has no way to write it.
    #[error("the message has a character that XML cannot carry")]
    Character,
    /// The settings lead to no URL or header; those of a start were tried with other values.
    #[error("the message does not fit the request that the settings describe")]
    Form,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The provider has the message.
    Accepted {
        /// Its id, if it gives one.
        message_id: Option<String>,
    },
    /// It does not want it.
    Refused {
        /// Why, in words that may be shown.
        text: String,
    },
    /// It does not want it now.
    Throttled {
        /// For how long, if it says so.
        pause: Option<Duration>,
    },
    /// It may have it or not.
    Unknown {
        /// What is odd about the answer, for the log.
        why: &'static str,
    },
}
