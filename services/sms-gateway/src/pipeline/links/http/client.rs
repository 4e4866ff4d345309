//! The HTTP client of one provider.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client};

use crate::settings::Connection;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The file with the authorities cannot be read.
    #[error("{}: {}", file.display(), source.kind())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no certificate, or TLS cannot be set up.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Makes the client of one provider: it follows no redirect, uses no proxy, which would hide whether the provider was
/// reached, and repeats nothing by itself. How long an answer may take is for whoever asks. Without `tls` no authorities
/// are loaded: a minimal container may have none.
///
/// # Errors
/// [`ClientError`], see its variants.
pub(super) fn client(connection: &Connection, tls: bool) -> Result<Client, ClientError> {
    // An error means that a provider is installed already, by another part of the process; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(connection.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .user_agent(concat!("sealpost/", env!("CARGO_PKG_VERSION")));
    builder = match connection.keep_alive {
        Duration::ZERO => builder.pool_max_idle_per_host(0),
        keep => builder.pool_idle_timeout(keep),
    };
    if let Some(file) = &connection.ca_file {
        let pem = std::fs::read(file).map_err(|source| ClientError::File { file: file.clone(), source })?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem)?);
    } else if !tls {
        builder = builder.tls_certs_only([]);
    }
    Ok(builder.build()?)
}
