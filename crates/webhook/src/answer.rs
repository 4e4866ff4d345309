//! One request whose answer is only looked at for its status.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

/// What is read of an answer, so that its connection can be used again. Nothing in it is needed.
const ANSWER_BYTES: usize = 4096;

/// The longest pause that a receiver can ask for.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 3600);

/// What a receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// After how long it wants to be asked again, one day at most (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
}

/// Begins a client that follows no redirects, uses no proxy, and gives up after `timeout`.
pub fn client_builder(timeout: Duration) -> ClientBuilder {
    // An error means that a provider is installed already, by another part of the process; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(timeout)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("sealpost/", env!("CARGO_PKG_VERSION")))
}

/// Sends a request; none: there was no answer. Why is not told: the URL in the error is a secret.
pub async fn ask(request: RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let answer = Answer { status: response.status().as_u16(), retry_after: retry_after(response.headers()) };
    drain(response).await;
    Some(answer)
}

/// Reads in how long a receiver wants to be asked again. A date counts from the receiver's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wish = text(RETRY_AFTER)?;
    let pause = match wish.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(wish).ok()?;
            until.duration_since(httpdate::parse_http_date(text(DATE)?).ok()?).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST_WISH))
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
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(wish: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(wish).unwrap());
        date.map(|date| headers.insert(DATE, HeaderValue::from_str(date).unwrap()));
        retry_after(&headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_pause_is_read_as_seconds_or_as_a_date() {
        let date = Some("Sat, 28 Nov 2026 12:00:00 GMT");

        assert_eq!(read("7", None), Some(7));
        assert_eq!(read("99999999999", None), Some(24 * 3600));
        assert_eq!(read("Sat, 28 Nov 2026 12:01:30 GMT", date), Some(90));
        assert_eq!(read("Sat, 28 Nov 2026 11:00:00 GMT", date), Some(0));
    }

    #[test]
    fn a_wish_that_cannot_be_read_is_none() {
        for wish in ["", "soon", "-1", "1.5", "Sat, 28 Nov 2026 12:01:30 GMT"] {
            assert_eq!(read(wish, None), None, "{wish}");
        }
    }
}
