//! A node that speaks TLS, with a client that shows a certificate of its own and nobody else.

use std::path::PathBuf;

use bus::AmqpTlsSettings;
use tempfile::TempDir;

use super::RabbitMq;
use crate::certificates::openssl;
use crate::process::{self, InfraError, ports};

/// A private node with a listener for `amqps://` on 127.0.0.1. Dropped, it is killed.
#[derive(Debug)]
pub struct SecuredRabbitMq {
    /// The node, which has its listener for `amqp://` as well.
    pub node: RabbitMq,
    port: u16,
    folder: TempDir,
}

impl SecuredRabbitMq {
    /// Makes the authorities and the certificates, and starts the node.
    ///
    /// # Errors
    /// As [`RabbitMq::start`].
    pub async fn start() -> Result<Self, InfraError> {
        let (port, folder) = (ports::free(), process::scratch("certificates")?);
        let path = |name: &str| folder.path().join(name);
        openssl(folder.path(), "authority", &["-subj", "/CN=authority"])?;
        openssl(folder.path(), "stranger", &["-subj", "/CN=stranger"])?;
        let authority = ["-CA", "authority.pem", "-CAkey", "authority.key"];
        for name in ["broker", "client"] {
            let named = ["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"];
            let named = [&named[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat();
            openssl(folder.path(), name, &[&named[..], &authority].concat())?;
        }
        let settings = format!(
            "listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {}
ssl_options.certfile = {}
ssl_options.keyfile = {}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
",
            path("authority.pem").display(),
            path("broker.pem").display(),
            path("broker.key").display()
        );
        let node = RabbitMq::start_with("[rabbitmq_management].\n", &settings).await?;
        Ok(Self { node, port, folder })
    }

    /// URL for AMQP clients over TLS: user `guest`, virtual host `/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqps://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// What lets a client in.
    #[must_use]
    pub fn tls(&self) -> AmqpTlsSettings {
        AmqpTlsSettings {
            ca_file: Some(self.path("authority.pem")),
            certificate_file: Some(self.path("client.pem")),
            key_file: Some(self.path("client.key")),
        }
    }

    /// An authority that has signed nothing here.
    #[must_use]
    pub fn stranger(&self) -> PathBuf {
        self.path("stranger.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
