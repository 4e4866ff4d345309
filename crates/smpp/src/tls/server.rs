//! The simulator's side.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{TlsError, pem};

/// How the simulator uses TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTlsSettings {
    /// PEM file with the certificate to show, and the chain behind it.
    pub certificate_file: PathBuf,
    /// PEM file with its key, not encrypted.
    pub key_file: PathBuf,
    /// PEM file with the CAs of client certificates; `None` asks for no such certificate.
    pub client_ca_file: Option<PathBuf>,
}

impl ServerTlsSettings {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be used.
    pub fn load(&self) -> Result<ServerTls, TlsError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?;
        let config = match &self.client_ca_file {
            None => config.with_no_client_auth(),
            Some(file) => {
                let authorities = Arc::new(pem::authorities(file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider)
                    .build()
                    .map_err(|source| TlsError::ClientAuthority { file: file.clone(), source })?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = (pem::certificates(&self.certificate_file)?, pem::key(&self.key_file)?);
        let config = config.with_single_cert(chain, key).map_err(|source| TlsError::Identity {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
            source,
        })?;
        Ok(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Files that were read and fit: made by [`ServerTlsSettings::load`]. Clones share them.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl ServerTls {
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}
