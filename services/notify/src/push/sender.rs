//! One request to a push service (RFC 8030 §5), and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::address::PublicAddresses;
use super::policy::{Endpoint, EndpointRule, Reach};
use crate::settings::PushSettings;

/// What is read of an answer, so that its connection can be used again. Nothing in it is needed.
const ANSWER_BYTES: usize = 4096;

/// The longest pause that a push service can ask for.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 3600);

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
        // An error means that a provider is installed already, by another part of the process; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = |rule: &EndpointRule| matches!(rule, EndpointRule::Origin(at) if at.starts_with("http:"));
        let tls = !settings.endpoints.iter().all(plain);
        let builder = || {
            let builder = Client::builder()
                .timeout(settings.timeout)
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .user_agent(concat!("sealpost/", env!("CARGO_PKG_VERSION")));
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
        match request.send().await {
            Ok(response) => {
                let verdict = read(&response);
                drain(response).await;
                verdict
            }
            // The URL in the error is a secret of the device; what kind of failure it was is in no way acted on.
            Err(_) => Verdict::Later(None),
        }
    }
}

fn read(response: &Response) -> Verdict {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    // In the form of a date (RFC 9110 §10.2.3) it counts as none: push services send seconds.
    let pause = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    judge(response.status().as_u16(), pause)
}

fn judge(status: u16, pause: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        404 | 410 => Verdict::Gone,
        413 => Verdict::TooLarge,
        408 | 425 | 429 | 500..=599 => Verdict::Later(pause.map(|pause| pause.min(LONGEST_WISH))),
        _ => Verdict::Refused(status),
    }
}

async fn drain(mut response: Response) {
    let mut left = ANSWER_BYTES;
    while let Ok(Some(chunk)) = response.chunk().await {
        if chunk.len() > left {
            return;
        }
        left -= chunk.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_the_standard_says() {
        let after = Some(Duration::from_secs(7));

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
        assert_eq!(judge(503, Some(Duration::MAX)), Verdict::Later(Some(LONGEST_WISH)));
    }
}
