//! PKCS#12 in and out. All key bags are read, whatever their names; Java's form is written.

use p12_keystore::{
    Certificate, CertificateBag, KeyStore, KeyStoreEntry, Pkcs12Archive, PrivateKey, PrivateKeyChain,
};
use zeroize::Zeroizing;

use super::{Entry, Vault, VaultError, VaultFormat};
use crate::models::UnixMillis;

/// Java ties key and certificate by this text and the milliseconds of the entry.
const LOCAL_KEY_ID: &str = "Time ";

pub(super) fn read(file: &[u8], password: &str) -> Result<Vault, VaultError> {
    let archive = Pkcs12Archive::from_pkcs12(file, password).map_err(|error| match error {
        p12_keystore::error::Error::MacError(_) | p12_keystore::error::Error::UnpadError => {
            VaultError::WrongPassword
        }
        _ => VaultError::Unreadable,
    })?;
    let mut entries = Vec::with_capacity(archive.keys.len());
    for (index, bag) in archive.keys.into_iter().enumerate() {
        let local_key_id = bag.local_key_id.map(|id| id.0);
        let chain = chain(&archive.certs, local_key_id.as_deref());
        let alias = bag.friendly_name.unwrap_or_else(|| format!("key-{}", index + 1));
        let pkcs8 = Zeroizing::new(bag.key.as_der().to_vec());
        entries.push(Entry { alias, pkcs8, chain, created: created(local_key_id.as_deref()) });
    }
    let others = !archive.secrets.is_empty() || archive.certs.iter().any(|bag| bag.trusted);
    Ok(Vault { format: VaultFormat::Pkcs12, entries, others })
}

/// Gives the certificate that names the key, then its issuers as far as the file has them.
fn chain(bags: &[CertificateBag], local_key_id: Option<&[u8]>) -> Vec<Vec<u8>> {
    let named = |bag: &&CertificateBag| local_key_id.is_some() && bag.local_key_id.as_deref() == local_key_id;
    let mut next = bags.iter().find(named).map(|bag| &bag.cert);
    let mut chain: Vec<&Certificate> = Vec::new();
    while let Some(certificate) = next.filter(|certificate| !chain.contains(certificate)) {
        chain.push(certificate);
        next = bags.iter().map(|bag| &bag.cert).find(|issuer| issuer.subject() == certificate.issuer());
    }
    chain.into_iter().map(|certificate| certificate.as_der().to_vec()).collect()
}

fn created(local_key_id: Option<&[u8]>) -> UnixMillis {
    let text = local_key_id.and_then(|id| std::str::from_utf8(id).ok());
    let millis = text.and_then(|text| text.strip_prefix(LOCAL_KEY_ID)).and_then(|millis| millis.parse().ok());
    UnixMillis(millis.unwrap_or(0))
}

pub(super) fn write(vault: &Vault, password: &str) -> Result<Vec<u8>, VaultError> {
    let mut store = KeyStore::new();
    for (index, entry) in vault.entries.iter().enumerate() {
        let key = PrivateKey::from_der(&entry.pkcs8).map_err(|_| VaultError::NotWritable)?;
        let chain: Result<Vec<_>, _> = entry.chain.iter().map(|der| Certificate::from_der(der)).collect();
        let local_key_id = match entry.created {
            UnixMillis(0) => format!("key {index}"),
            UnixMillis(millis) => format!("{LOCAL_KEY_ID}{millis}"),
        };
        let chain = PrivateKeyChain::new(local_key_id, key, chain.map_err(|_| VaultError::NotWritable)?);
        store.add_entry(&entry.alias, KeyStoreEntry::PrivateKeyChain(chain));
    }
    store.writer(password).write().map_err(|_| VaultError::NotWritable)
}
