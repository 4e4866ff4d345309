//! What a publisher wants of the push that follows a notification.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// What is pushed to devices that are not connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Carry {
    /// Where something is to be fetched, and nothing of what.
    #[default]
    Wake,
    /// The data as well, if it fits; encrypted for the device. Not in channels of accounts.
    Data,
    /// Nothing.
    Nothing,
}

/// How soon a device in need of its battery is to be told (RFC 8030 §5.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Urgency {
    /// On power and on Wi-Fi.
    VeryLow,
    /// On either.
    Low,
    /// On neither.
    #[default]
    Normal,
    /// Whatever its battery.
    High,
}

impl Urgency {
    /// Gives the word of the header.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::VeryLow => "very-low",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// What a publisher wants of the push that follows a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wish {
    /// What it carries.
    #[serde(default)]
    pub(crate) carry: Carry,
    /// How soon the device is to be told.
    #[serde(default)]
    pub(crate) urgency: Urgency,
    /// For how many seconds it is worth telling; no longer than the server's `notify.push.ttl`, which is the default.
    pub(crate) ttl: Option<u32>,
    /// A later push of the same topic takes the place of one that waits at the push service: up to 32 characters of
    /// base64url (RFC 8030 §5.4).
    #[serde(default, deserialize_with = "topic")]
    #[schema(max_length = 32)]
    pub(crate) topic: Option<String>,
}

impl Wish {
    /// Tells whether anything is pushed.
    pub(crate) fn is_any(&self) -> bool {
        self.carry != Carry::Nothing
    }

    /// Gives for how long the push is worth sending.
    pub(crate) fn life(&self, most: Duration) -> Duration {
        self.ttl.map_or(most, |seconds| Duration::from_secs(seconds.into()).min(most))
    }
}

fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let topic = Option::<String>::deserialize(deserializer)?;
    let fits = |text: &String| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if topic.as_ref().is_none_or(fits) {
        Ok(topic)
    } else {
        Err(serde::de::Error::custom("expected up to 32 characters of base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_a_wake_up() {
        let wish: Wish = serde_json::from_str("{}").unwrap();

        assert_eq!(wish, Wish::default());
        assert_eq!((wish.carry, wish.urgency.as_str()), (Carry::Wake, "normal"));
        assert_eq!(wish.life(Duration::from_secs(9)), Duration::from_secs(9));
    }

    #[test]
    fn a_life_is_no_longer_than_the_server_allows() {
        let wish: Wish = serde_json::from_str(r#"{"ttl":60,"urgency":"very-low","carry":"data"}"#).unwrap();

        assert_eq!(wish.life(Duration::from_secs(100)), Duration::from_secs(60));
        assert_eq!(wish.life(Duration::from_secs(10)), Duration::from_secs(10));
        assert_eq!((wish.carry, wish.urgency), (Carry::Data, Urgency::VeryLow));
    }

    #[test]
    fn topics_are_those_of_the_standard() {
        let read = |topic: &str| serde_json::from_str::<Wish>(&format!(r#"{{"topic":"{topic}"}}"#));

        assert_eq!(read("a-B_9").unwrap().topic.as_deref(), Some("a-B_9"));
        for other in ["", "a b", "a\\nb", "a=", &"x".repeat(33)] {
            assert!(read(other).is_err(), "{other}");
        }
    }
}
