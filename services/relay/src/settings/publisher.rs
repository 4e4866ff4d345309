//! Who gets SMS that came in.

use std::fmt;

use serde::Deserialize;
use url::Url;

/// The publisher, as the settings name it. `Debug` shows no more of an address than where it is.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Publisher {
    /// Not said.
    #[default]
    Unset,
    /// Whoever reads the queue at RabbitMQ.
    Amqp,
    /// Whoever answers at this address.
    Http(Url),
}

/// Text that names no publisher.
#[derive(Debug, thiserror::Error)]
#[error("expected amqp, or an address that begins with http:// or https://")]
pub struct InvalidPublisher;

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("Unset"),
            Self::Amqp => f.write_str("Amqp"),
            // User, password and query of an address may be secrets.
            Self::Http(url) => write!(f, "Http({}://{})", url.scheme(), url.host_str().unwrap_or_default()),
        }
    }
}

impl TryFrom<String> for Publisher {
    type Error = InvalidPublisher;

    fn try_from(text: String) -> Result<Self, InvalidPublisher> {
        match text.as_str() {
            "" => Ok(Self::Unset),
            "amqp" => Ok(Self::Amqp),
            url => match url.parse::<Url>() {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self::Http(url)),
                _ => Err(InvalidPublisher),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_a_queue_or_an_address() {
        let read = |text: &str| Publisher::try_from(text.to_owned()).ok();

        assert_eq!(read(""), Some(Publisher::Unset));
        assert_eq!(read("amqp"), Some(Publisher::Amqp));
        assert_eq!(
            read("http://localhost:12022/publish"),
            Some(Publisher::Http("http://localhost:12022/publish".parse().unwrap()))
        );
        for text in ["amqp://localhost", "localhost", "mailto:a@b.c"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(format!("{:?}", read("http://user:hunter2@host/?k=hunter2")), "Some(Http(http://host))");
    }
}
