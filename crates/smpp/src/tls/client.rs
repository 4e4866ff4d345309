//! The ESME's side.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{TlsError, TlsFailure, pem};

/// How an ESME uses TLS. The default trusts the CAs of the system, shows no certificate, and expects the host's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// PEM file with the CA certificates to trust, and no others. `None` trusts those of the system: an SMSC with a
    /// certificate of a public CA then needs no file, and one with its own CA is refused until that is named.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the certificate to show, and the chain behind it (mutual TLS).
    pub certificate_file: Option<PathBuf>,
    /// PEM file with its key, not encrypted.
    pub key_file: Option<PathBuf>,
    /// Name that the SMSC's certificate must be for, and that is asked for (SNI); `None` for the host's.
    pub server_name: Option<String>,
}

impl TlsSettings {
    /// Reads the files, for connections to `host`.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be used, or the name is none.
    pub fn load(&self, host: &str) -> Result<ClientTls, TlsError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))?;
        let authorities = match &self.ca_file {
            Some(file) => pem::authorities(file)?,
            None => system_authorities()?,
        };
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .with_root_certificates(authorities);
        let config = match (&self.certificate_file, &self.key_file) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => config
                .with_client_auth_cert(pem::certificates(certificate)?, pem::key(key)?)
                .map_err(|source| TlsError::Identity {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    source,
                })?,
            (Some(file), None) | (None, Some(file)) => {
                return Err(TlsError::HalfIdentity { file: file.clone() });
            }
        };
        Ok(ClientTls { connector: TlsConnector::from(Arc::new(config)), server_name })
    }
}

/// Takes the certificates of the system that can be read; one broken file among them is no reason to trust none.
fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoSystemAuthorities) } else { Ok(store) }
}

/// Files that were read and fit: made by [`TlsSettings::load`]. Clones share them.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl ClientTls {
    pub(crate) async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, TlsFailure> {
        self.connector
            .connect(self.server_name.clone(), stream)
            .await
            .map_err(|error| TlsFailure::of(&error).unwrap_or(TlsFailure::Interrupted))
    }
}
