//! One signed request, and what its answer means.

use std::path::PathBuf;
use std::time::Duration;

use common::models::UnixMillis;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client};
use telemetry::TraceContext;

use crate::answer::{Answer, ask, client_builder};
use crate::secret::signatures;
use crate::settings::DeliverySettings;
use crate::target::Target;

/// Why webhooks cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SenderFault {
    /// The file of authorities cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no certificates.
    #[error("{}: no certificates in PEM", file.display())]
    NoCertificates {
        /// Which.
        file: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("no client for webhooks: {0}")]
    Client(#[from] reqwest::Error),
}

/// What a receiver is told.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event's id: `webhook-id`, the same at each try.
    pub id: String,
    /// The event, as JSON.
    pub body: Vec<u8>,
    /// The trace of the request that it is about, if it is known: `traceparent`, another span at each try.
    pub trace: Option<TraceContext>,
}

/// What a receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has taken the event (any 2xx).
    Taken,
    /// It wants no events any more (410).
    Gone,
    /// Not now, or not here: no answer, 408, 425, 429, 5xx, and redirects, which are not followed; perhaps after a while
    /// that it names.
    Later(Option<Duration>),
    /// Not this event, ever (any other 4xx).
    Refused(u16),
}

impl Verdict {
    fn of(answer: Option<Answer>) -> Self {
        let Some(Answer { status, retry_after }) = answer else { return Self::Later(None) };
        match status {
            200..=299 => Self::Taken,
            410 => Self::Gone,
            408 | 425 | 429 => Self::Later(retry_after),
            400..=499 => Self::Refused(status),
            _ => Self::Later(retry_after),
        }
    }
}

/// The way to receivers. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Sender(Client);

impl Sender {
    /// Makes the client for `targets`.
    ///
    /// # Errors
    /// [`SenderFault`].
    pub fn new(settings: &DeliverySettings, targets: &[Target]) -> Result<Self, SenderFault> {
        let builder = client_builder(settings.timeout);
        let tls = targets.iter().any(|target| target.url().scheme() == "https");
        let builder = match &settings.ca_file {
            // A minimal container has no roots, and needs none for plain HTTP.
            None if !tls => builder.tls_certs_only([]),
            None => builder,
            Some(file) => builder.tls_certs_only(authorities(file)?),
        };
        Ok(Self(builder.build()?))
    }

    /// Sends a message, signed now.
    pub async fn send(&self, target: &Target, message: Message, now: UnixMillis) -> Verdict {
        let Message { id, body, trace } = message;
        let timestamp = now.as_secs();
        let signature = signatures(target.secrets(), &id, timestamp, &body);
        let mut request = self
            .0
            .post(target.url().clone())
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(trace) = trace {
            request = request.header(TraceContext::HEADER, trace.child().to_string());
        }
        Verdict::of(ask(request).await)
    }
}

fn authorities(file: &PathBuf) -> Result<Vec<Certificate>, SenderFault> {
    let text =
        std::fs::read(file).map_err(|source| SenderFault::Unreadable { file: file.clone(), source })?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(SenderFault::NoCertificates { file: file.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, pause: Option<u64>) -> Verdict {
        Verdict::of(Some(Answer { status, retry_after: pause.map(Duration::from_secs) }))
    }

    #[test]
    fn answers_mean_what_the_table_says() {
        for status in [200, 202, 204, 299] {
            assert_eq!(judge(status, None), Verdict::Taken);
        }
        for status in [408, 425, 429, 500, 503, 599] {
            assert_eq!(judge(status, Some(7)), Verdict::Later(Some(Duration::from_secs(7))));
        }
        for status in [301, 307] {
            assert_eq!(judge(status, None), Verdict::Later(None));
        }
        for status in [400, 401, 403, 404, 413, 422] {
            assert_eq!(judge(status, None), Verdict::Refused(status));
        }
        assert_eq!(judge(410, None), Verdict::Gone);
        assert_eq!(Verdict::of(None), Verdict::Later(None));
    }
}
