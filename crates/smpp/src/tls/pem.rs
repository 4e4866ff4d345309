//! Reading certificates and keys.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

fn broken(file: &Path) -> impl Fn(pem::Error) -> TlsError {
    move |source| TlsError::Pem { file: file.to_owned(), source }
}

/// Reads all certificates of a file: a chain, the own one first.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(broken(file))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { file: file.to_owned(), what: "certificate" });
    }
    Ok(chain)
}

/// Reads the first private key of a file: PKCS#8, PKCS#1 or SEC1, not encrypted.
pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(&read(file)?) {
        Err(pem::Error::NoItemsFound) => {
            Err(TlsError::Empty { file: file.to_owned(), what: "unencrypted private key" })
        }
        read => read.map_err(broken(file)),
    }
}

/// Reads the certificates of a CA file; every one of them must be one to trust.
pub(super) fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file)? {
        store.add(certificate).map_err(|source| TlsError::Authority { file: file.to_owned(), source })?;
    }
    Ok(store)
}
