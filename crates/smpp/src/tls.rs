//! TLS for both sides: what an ESME checks its SMSC by, and what the simulator shows.
//!
//! In: names of PEM files. Out: a [`ClientTls`] or [`ServerTls`] that is ready for use, or a [`TlsError`] that names the
//! file and what is wrong with it: files are read once, before anything is connected. TLS 1.2 and 1.3 only, over
//! `ring`; the peer's certificate and name are always verified.

mod client;
mod failure;
mod pem;
mod server;

use std::io;
use std::path::PathBuf;

use rustls::server::VerifierBuilderError;

pub use client::{ClientTls, TlsSettings};
pub use failure::TlsFailure;
pub use server::{ServerTls, ServerTlsSettings};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is broken PEM.
    #[error("{}: broken PEM: {source}", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What is broken.
        source: rustls::pki_types::pem::Error,
    },
    /// The file holds none of what it is for.
    #[error("{}: holds no {what} in PEM form", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A certificate of the CA file is none.
    #[error("{}: not a certificate to trust: {source}", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Certificate and key do not work, or not together.
    #[error("{} and {}: {source}", certificate.display(), key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// A client certificate without a key, or the other way round.
    #[error("{}: a client certificate goes with its key, and the other one is missing", file.display())]
    HalfIdentity {
        /// The one that is there.
        file: PathBuf,
    },
    /// The system has no CA certificates, and no CA file is named.
    #[error("this system has no CA certificates: name a file with the SMSC's CA")]
    NoSystemAuthorities,
    /// The name to verify is neither a DNS name nor an address.
    #[error("{0:?} is neither a DNS name nor an address")]
    ServerName(String),
    /// The verifier of client certificates cannot be made.
    #[error("{}: {source}", file.display())]
    ClientAuthority {
        /// The CA file for clients.
        file: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// The TLS library has no version or cipher to offer.
    #[error("TLS is not usable: {0}")]
    Library(rustls::Error),
}
