//! Receivers that an operator named.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use crate::SigningSecret;

/// Why a receiver cannot be used. Nothing of its URL is told: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// It has no name.
    #[error("a webhook has a name of up to 64 letters, digits, '-', '_' and '.'")]
    Name,
    /// Another scheme than http and https, or a name and password before the host.
    #[error("a webhook's url is https (or http) without name and password")]
    Url,
    /// Plain http, to an address that is not one of the own network for certain.
    #[error("plain http goes to loopback and private addresses alone, unless allow_http is set")]
    PlainHttp,
    /// It has no secret.
    #[error("a webhook has at least one secret")]
    NoSecret,
}

/// A receiver. Clones share it. `Debug` shows its name alone.
#[derive(Clone)]
pub struct Target(Arc<Inner>);

struct Inner {
    name: String,
    url: Url,
    secrets: Vec<SigningSecret>,
}

impl Target {
    /// Checks what the operator wrote. As the URL is the operator's own, any address may be called; without TLS, only
    /// one that is near for certain, as a name can be answered by anybody.
    ///
    /// # Errors
    /// [`TargetFault`].
    pub fn new(
        name: &str,
        url: &Url,
        secrets: &[SigningSecret],
        allow_http: bool,
    ) -> Result<Self, TargetFault> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_plain) {
            return Err(TargetFault::Name);
        }
        let bare = url.username().is_empty() && url.password().is_none() && url.has_host();
        match url.scheme() {
            _ if !bare => return Err(TargetFault::Url),
            "https" => {}
            "http" if allow_http || is_near(url) => {}
            "http" => return Err(TargetFault::PlainHttp),
            _ => return Err(TargetFault::Url),
        }
        if secrets.is_empty() {
            return Err(TargetFault::NoSecret);
        }
        Ok(Self(Arc::new(Inner { name: name.to_owned(), url: url.clone(), secrets: secrets.to_vec() })))
    }

    /// Gives the name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0.url
    }

    pub(crate) fn secrets(&self) -> &[SigningSecret] {
        &self.0.secrets
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.0.name).finish()
    }
}

fn is_near(url: &Url) -> bool {
    let address = match url.host() {
        // Resolvers answer it themselves (RFC 6761 §6.3).
        Some(Host::Domain(name)) => return name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        None => return false,
    };
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allow_http: bool) -> Result<(), TargetFault> {
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        Target::new("team", &Url::parse(url).unwrap(), &[secret], allow_http).map(|_| ())
    }

    #[test]
    fn plain_http_stays_in_the_own_network() {
        for near in [
            "http://127.0.0.1:8080/x",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://localhost:1/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert_eq!(check(near, false), Ok(()), "{near}");
        }
        for far in ["http://example.org/", "http://8.8.8.8/", "http://[2001:4860::1]/", "http://backend/"] {
            assert_eq!(check(far, false), Err(TargetFault::PlainHttp), "{far}");
            assert_eq!(check(far, true), Ok(()), "{far}");
        }
    }

    #[test]
    fn https_goes_anywhere_and_other_forms_nowhere() {
        for url in ["https://example.org/hook?x=y", "https://10.0.0.1:8443/"] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
        for url in ["ftp://example.org/", "https://u:p@example.org/", "https://u@example.org/", "file:///x"] {
            assert_eq!(check(url, true), Err(TargetFault::Url), "{url}");
        }
    }

    #[test]
    fn a_target_has_a_name_and_a_secret_and_hides_its_url() {
        let (url, secret) = (Url::parse("https://a.example/hidden").unwrap(), "whsec_".to_owned());
        let secrets: [SigningSecret; 1] = [(secret + &"A".repeat(32)).parse().unwrap()];
        let new = |name: &str, secrets: &[SigningSecret]| Target::new(name, &url, secrets, false);

        assert_eq!(new("", &secrets).unwrap_err(), TargetFault::Name);
        assert_eq!(new("a b", &secrets).unwrap_err(), TargetFault::Name);
        assert_eq!(new("a", &[]).unwrap_err(), TargetFault::NoSecret);
        assert_eq!(format!("{:?}", new("a", &secrets).unwrap()), r#"Target("a")"#);
    }
}
