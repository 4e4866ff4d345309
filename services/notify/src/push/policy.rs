//! Which endpoints may be called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::address::is_public;

/// Longest endpoint, in bytes.
pub(crate) const MAX_ENDPOINT: usize = 2048;

/// Why an endpoint is refused. Nothing of it is told: an endpoint is a secret of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointFault {
    /// No URL, or too long a one.
    #[error("not a URL of up to 2048 bytes")]
    Form,
    /// Another scheme, another port, or something before the host.
    #[error("an endpoint is an https URL without a port and without credentials")]
    NotPlain,
    /// An address that is not one of the public internet.
    #[error("an endpoint has a public address")]
    NotPublic,
    /// A host that the operator has not allowed.
    #[error("this server does not push to this host (notify.push.endpoints)")]
    NotAllowed,
}

/// A rule of `notify.push.endpoints`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointRule {
    /// `*`: every host with a public address.
    Any,
    /// `*.example.org`: every host below, at public addresses.
    Below(String),
    /// `push.example.org`: this host, at public addresses.
    Host(String),
    /// `http://10.0.0.7:8080`: this origin, wherever it is. The operator vouches for it.
    Origin(String),
}

/// Text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected *, a host, *.domain, or an origin such as https://push.internal:8443")]
pub struct InvalidRule;

impl FromStr for EndpointRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains("://") {
            let url = Url::parse(text).map_err(|_| InvalidRule)?;
            let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let known = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
            let origin = url.origin().ascii_serialization();
            return if is_origin && known { Ok(Self::Origin(origin)) } else { Err(InvalidRule) };
        }
        let (below, host) = match text.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, text),
        };
        match Host::parse(host) {
            Ok(Host::Domain(domain)) if below => Ok(Self::Below(domain)),
            Ok(Host::Domain(domain)) => Ok(Self::Host(domain)),
            _ => Err(InvalidRule),
        }
    }
}

impl fmt::Display for EndpointRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(domain) => write!(f, "*.{domain}"),
            Self::Host(text) | Self::Origin(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for EndpointRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// From where an endpoint may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From public addresses.
    Public,
    /// From wherever its name leads: the operator named it.
    Anywhere,
}

/// An endpoint that may be called. No `Debug`: it is a secret of the device.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) reach: Reach,
}

impl Endpoint {
    /// Checks an endpoint against the rules.
    ///
    /// # Errors
    /// [`EndpointFault`].
    pub(crate) fn parse(text: &str, rules: &[EndpointRule]) -> Result<Self, EndpointFault> {
        let fits = (1..=MAX_ENDPOINT).contains(&text.len());
        let url = Some(text).filter(|_| fits).and_then(|text| Url::parse(text).ok());
        let url = url.ok_or(EndpointFault::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointFault::NotPlain);
        }
        let origin = url.origin().ascii_serialization();
        if rules.iter().any(|rule| matches!(rule, EndpointRule::Origin(named) if *named == origin)) {
            return Ok(Self { url, reach: Reach::Anywhere });
        }
        if url.scheme() != "https" || url.port().is_some() {
            return Err(EndpointFault::NotPlain);
        }
        let allowed = match url.host() {
            // Nobody resolves these, so nobody else looks at them.
            Some(Host::Ipv4(address)) if !is_public(IpAddr::V4(address)) => {
                return Err(EndpointFault::NotPublic);
            }
            Some(Host::Ipv6(address)) if !is_public(IpAddr::V6(address)) => {
                return Err(EndpointFault::NotPublic);
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => rules.contains(&EndpointRule::Any),
            Some(Host::Domain(domain)) => rules.iter().any(|rule| rule.covers(domain)),
            None => false,
        };
        if allowed { Ok(Self { url, reach: Reach::Public }) } else { Err(EndpointFault::NotAllowed) }
    }
}

impl EndpointRule {
    fn covers(&self, domain: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Host(host) => host == domain,
            Self::Below(parent) => {
                domain.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Self::Origin(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rules: &[&str]) -> Result<Reach, EndpointFault> {
        let rules: Vec<EndpointRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Endpoint::parse(text, &rules).map(|endpoint| endpoint.reach)
    }

    #[test]
    fn hosts_follow_the_rules() {
        let rules = ["fcm.googleapis.com", "*.push.example.org"];

        for allowed in [
            "https://fcm.googleapis.com/fcm/send/x",
            "https://A.push.example.org/",
            "https://fcm.googleapis.com:443/x",
        ] {
            assert_eq!(check(allowed, &rules), Ok(Reach::Public), "{allowed}");
        }
        for other in [
            "https://googleapis.com/",
            "https://x.fcm.googleapis.com/",
            "https://push.example.org/",
            "https://evilpush.example.org/",
            "https://fcm.googleapis.com.evil.example/",
            "https://8.8.8.8/",
        ] {
            assert_eq!(check(other, &rules), Err(EndpointFault::NotAllowed), "{other}");
        }
    }

    #[test]
    fn a_server_is_not_led_into_its_own_network() {
        let inner = [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://[fd00:ec2::254]/",
        ];

        for text in inner {
            assert_eq!(check(text, &["*"]), Err(EndpointFault::NotPublic), "{text}");
        }
        assert_eq!(check("https://8.8.8.8/", &["*"]), Ok(Reach::Public));
    }

    #[test]
    fn only_plain_https_is_called() {
        for text in [
            "http://push.example.org/",
            "https://push.example.org:8443/",
            "https://u@push.example.org/",
            "https://u:p@push.example.org/",
            "file:///etc/passwd",
            "ftp://push.example.org/",
            "data:,x",
        ] {
            assert_eq!(check(text, &["*"]), Err(EndpointFault::NotPlain), "{text}");
        }
        for text in ["", "/x", "https://", &format!("https://a.example/{}", "x".repeat(MAX_ENDPOINT))] {
            assert_eq!(check(text, &["*"]), Err(EndpointFault::Form), "{text}");
        }
    }

    #[test]
    fn an_origin_that_the_operator_names_is_called_wherever_it_is() {
        let rules = ["http://127.0.0.1:8099", "https://push.internal"];

        assert_eq!(check("http://127.0.0.1:8099/x?y", &rules), Ok(Reach::Anywhere));
        assert_eq!(check("https://push.internal/x", &rules), Ok(Reach::Anywhere));
        for other in ["http://127.0.0.1:8098/x", "http://push.internal/x", "http://u@127.0.0.1:8099/"] {
            assert_eq!(check(other, &rules), Err(EndpointFault::NotPlain), "{other}");
        }
    }

    #[test]
    fn rules_read_as_they_are_written() {
        for text in ["*", "*.example.org", "push.example.org", "https://push.internal:8443"] {
            assert_eq!(text.parse::<EndpointRule>().unwrap().to_string(), text);
        }
        for text in ["", "*.", "a/b", "127.0.0.1", "https://a/b", "ftp://a", "https://u@a"] {
            assert_eq!(text.parse::<EndpointRule>(), Err(InvalidRule), "{text}");
        }
    }
}
