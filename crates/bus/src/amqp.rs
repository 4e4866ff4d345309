//! How a RabbitMQ is reached: `amqp://` as it is, `amqps://` over TLS.
//!
//! In: a URL with user, password and virtual host, and files with certificates. Out: connections. What must hold: over
//! TLS, a broker for which no trusted authority vouches under the name in the URL gets no password.

mod trace;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lapin::{
    Connection, ConnectionProperties, DefaultConnectionBuilder,
    tcp::{OwnedIdentity, OwnedTLSConfig},
    uri::{AMQPScheme, AMQPUri},
};

use crate::settings::AmqpTlsSettings;
pub use trace::{trace_of, with_trace};

/// What a file of certificates has in it (RFC 7468 §5).
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Settings that lead to no broker.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAmqp {
    /// The URL is none; it is not shown, since it may have a password in it.
    #[error("expected a URL that begins with amqp:// or amqps://")]
    Url,
    /// Certificates for a connection that uses none.
    #[error("certificates need a URL that begins with amqps://")]
    Plain,
    /// A certificate without its key, or the other way round.
    #[error("certificate_file and key_file belong together")]
    HalfIdentity,
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has no certificate in it.
    #[error("{}: no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

/// A RabbitMQ. Clones share the certificates; `Debug` shows no password.
#[derive(Clone)]
pub struct AmqpServer {
    uri: AMQPUri,
    tls: Arc<OwnedTLSConfig>,
}

impl fmt::Debug for AmqpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, .. } = &self.uri;
        write!(f, "AmqpServer({scheme:?}, {}:{})", authority.host, authority.port)
    }
}

impl AmqpServer {
    /// Reads a URL, and with `amqps://` the certificates. A peer that is gone without a word is noticed within twice
    /// `heartbeat` seconds, unless the URL says otherwise.
    ///
    /// # Errors
    /// [`InvalidAmqp`].
    pub fn new(url: &str, tls: &AmqpTlsSettings, heartbeat: u16) -> Result<Self, InvalidAmqp> {
        let mut uri: AMQPUri = url.parse().map_err(|_| InvalidAmqp::Url)?;
        uri.query.heartbeat.get_or_insert(heartbeat);
        let tls = match uri.scheme {
            AMQPScheme::AMQPS => config(tls)?,
            AMQPScheme::AMQP if *tls == AmqpTlsSettings::default() => OwnedTLSConfig::default(),
            AMQPScheme::AMQP => return Err(InvalidAmqp::Plain),
        };
        Ok(Self { uri, tls: Arc::new(tls) })
    }

    /// Gives up on a connection that is not there within so many milliseconds, unless the URL says otherwise.
    #[must_use]
    pub fn with_connection_timeout(mut self, milliseconds: u64) -> Self {
        self.uri.query.connection_timeout.get_or_insert(milliseconds);
        self
    }

    /// Where it is, and as whom it is reached.
    pub fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// Connects. The broker shows the connection under `name`.
    ///
    /// # Errors
    /// Those of lapin.
    pub async fn connect(&self, name: &str) -> lapin::Result<Connection> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let builder = DefaultConnectionBuilder::new()?.with_uri(self.uri.clone()).with_properties(properties);
        builder.with_tls_config(OwnedTLSConfig::clone(&self.tls)).connect().await
    }
}

fn config(tls: &AmqpTlsSettings) -> Result<OwnedTLSConfig, InvalidAmqp> {
    let authorities = tls.ca_file.as_deref().map(certificates).transpose()?;
    let identity = match (&tls.certificate_file, &tls.key_file) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(OwnedIdentity::PKCS8 {
            pem: certificates(certificate)?.into_bytes(),
            key: read(key)?.into_bytes(),
        }),
        (Some(_), None) | (None, Some(_)) => return Err(InvalidAmqp::HalfIdentity),
    };
    Ok(OwnedTLSConfig { identity, cert_chain: authorities })
}

fn certificates(path: &Path) -> Result<String, InvalidAmqp> {
    let text = read(path)?;
    if text.contains(CERTIFICATE) {
        Ok(text)
    } else {
        Err(InvalidAmqp::NoCertificate { path: path.to_owned() })
    }
}

fn read(path: &Path) -> Result<String, InvalidAmqp> {
    std::fs::read_to_string(path).map_err(|source| InvalidAmqp::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, tls: &AmqpTlsSettings) -> String {
        AmqpServer::new(url, tls, 10).unwrap_err().to_string()
    }

    #[test]
    fn settings_that_lead_nowhere_are_refused_and_no_password_is_shown() {
        let ca = |path: &str| AmqpTlsSettings { ca_file: Some(path.into()), ..AmqpTlsSettings::default() };
        let key_alone = AmqpTlsSettings { key_file: Some("client.key".into()), ..AmqpTlsSettings::default() };
        let no_pem = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

        for (url, tls, expected) in [
            ("http://user:hunter2@host", AmqpTlsSettings::default(), "expected a URL"),
            ("amqp://user:hunter2@host", ca("ca.pem"), "certificates need"),
            ("amqps://user:hunter2@host", ca("/nowhere/ca.pem"), "/nowhere/ca.pem: "),
            ("amqps://user:hunter2@host", ca(no_pem), "no certificate in PEM"),
            ("amqps://user:hunter2@host", key_alone, "belong together"),
        ] {
            let said = refusal(url, &tls);
            assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_a_url_says_of_itself_wins() {
        let of = |url: &str| AmqpServer::new(url, &AmqpTlsSettings::default(), 10).unwrap();

        assert_eq!(of("amqp://user:hunter2@host").uri().query.heartbeat, Some(10));
        assert_eq!(of("amqp://user:hunter2@host?heartbeat=3").uri().query.heartbeat, Some(3));
        assert_eq!(format!("{:?}", of("amqp://user:hunter2@host/v")), "AmqpServer(AMQP, host:5672)");
    }
}
