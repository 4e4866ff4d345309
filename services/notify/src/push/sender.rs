//! One request to a push service (RFC 8030 §5), and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use webhook::{Answer, ask, client_builder};

use super::address::PublicAddresses;
use super::policy::{Endpoint, EndpointRule, Reach};
use crate::settings::PushSettings;

/// What is sent to a device.
pub(crate) struct Message<'a> {
    pub(crate) authorization: String,
    /// For how long the push service keeps it.
    pub(crate) ttl: Duration,
    pub(crate) urgency: &'a str,
    pub(crate) topic: Option<&'a str>,
    pub(crate) body: Vec<u8>,
}

/// What a push service says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has taken it over.
    Taken,
    /// There is no such subscription any more.
    Gone,
    /// It takes no message of this size.
    TooLarge,
    /// Not now; perhaps after a while that it names.
    Later(Option<Duration>),
    /// Not ever.
    Refused(u16),
}

/// The way to push services. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Sender {
    public: Client,
    anywhere: Client,
}

impl Sender {
    /// Makes the clients: they follow no redirects and use no proxy, and one of them sees public addresses alone.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(settings: &PushSettings) -> Result<Self, reqwest::Error> {
        let plain = |rule: &EndpointRule| matches!(rule, EndpointRule::Origin(at) if at.starts_with("http:"));
        let tls = !settings.endpoints.iter().all(plain);
        let builder = || {
            let builder = client_builder(settings.timeout);
            // A minimal container has no roots, and needs none for plain HTTP.
            if tls { builder } else { builder.tls_certs_only([]) }
        };
        Ok(Self {
            public: builder().dns_resolver(Arc::new(PublicAddresses)).build()?,
            anywhere: builder().build()?,
        })
    }

    /// Sends a message.
    pub(crate) async fn send(&self, endpoint: Endpoint, message: Message<'_>) -> Verdict {
        let client = match endpoint.reach {
            Reach::Public => &self.public,
            Reach::Anywhere => &self.anywhere,
        };
        let mut request = client
            .post(endpoint.url)
            .header(AUTHORIZATION, message.authorization)
            .header("TTL", message.ttl.as_secs())
            .header("Urgency", message.urgency)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(message.body);
        if let Some(topic) = message.topic {
            request = request.header("Topic", topic);
        }
        // Why there is no answer is in no way acted on.
        ask(request).await.map_or(Verdict::Later(None), judge)
    }
}

fn judge(Answer { status, retry_after }: Answer) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        404 | 410 => Verdict::Gone,
        413 => Verdict::TooLarge,
        408 | 425 | 429 | 500..=599 => Verdict::Later(retry_after),
        _ => Verdict::Refused(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_the_standard_says() {
        let after = Some(Duration::from_secs(7));
        let judge = |status, retry_after| judge(Answer { status, retry_after });

        for status in [200, 201, 202, 204] {
            assert_eq!(judge(status, None), Verdict::Taken);
        }
        for status in [404, 410] {
            assert_eq!(judge(status, None), Verdict::Gone);
        }
        for status in [429, 500, 502, 503] {
            assert_eq!(judge(status, after), Verdict::Later(after));
        }
        for status in [301, 307, 400, 401, 403] {
            assert_eq!(judge(status, None), Verdict::Refused(status));
        }
        assert_eq!(judge(413, None), Verdict::TooLarge);
    }
}
