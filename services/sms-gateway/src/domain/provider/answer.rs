//! An answer over HTTP, as far as it is read.

use std::borrow::Cow;
use std::time::Duration;

use common::models::UnixMillis;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest id that the tables hold.
const LONGEST_ID: usize = 255;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Its header fields.
    pub(crate) headers: HeaderMap,
    /// The body; `None` when it was over the limit, or did not come whole.
    pub(crate) body: Option<Vec<u8>>,
}

impl Answer {
    /// Gives the body as text. What is no UTF-8 becomes U+FFFD: ids and codes are ASCII in any encoding that is used.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        self.body.as_deref().map(String::from_utf8_lossy)
    }

    /// Gives the pause that the provider asks for: seconds or a date (RFC 9110 §10.2.3).
    pub(crate) fn retry_after(&self, now: UnixMillis) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let now = Duration::from_millis(u64::try_from(now.as_i64()).ok()?);
        Some(at.saturating_sub(now))
    }
}

/// Takes a provider's id of a message, if the tables can hold it.
pub(crate) fn message_id(id: &str) -> Option<String> {
    let id = id.trim();
    let fits = (1..=LONGEST_ID).contains(&id.chars().count()) && !id.contains(char::is_control);
    fits.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(value: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        // Sun, 06 Nov 1994 08:49:37 GMT.
        Answer { status: 429, headers, body: None }.retry_after(UnixMillis(784_111_777_000))
    }

    #[test]
    fn a_pause_is_told_in_seconds_or_by_a_date() {
        assert_eq!(pause(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:40:00 GMT"), Some(Duration::ZERO));
        for none in ["", "-1", "soon", "1.5"] {
            assert_eq!(pause(none), None, "{none}");
        }
    }

    #[test]
    fn only_what_a_table_can_hold_is_an_id() {
        assert_eq!(message_id(" SM1 \n").as_deref(), Some("SM1"));
        for none in ["", " ", "a\0b", "a\nb", &"9".repeat(256)] {
            assert_eq!(message_id(none), None, "{none:?}");
        }
    }
}
