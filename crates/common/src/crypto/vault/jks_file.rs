//! JKS in and out, with the store's one password for every key.

use std::time::{Duration, UNIX_EPOCH};

use jks::{Certificate, KeyStore, PrivateKeyEntry};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Entry, Vault, VaultError, VaultFormat};
use crate::models::UnixMillis;

/// Octets of the digest that ends a file.
const DIGEST: usize = 20;

pub(super) fn read(file: &[u8], password: &str) -> Result<Vault, VaultError> {
    // The reader believes the counts in a file and takes memory for them before it has seen the digest at its end, so
    // that is checked first: what is read is as its writer left it.
    if !is_intact(file, password) {
        return Err(VaultError::WrongPassword);
    }
    let mut store = KeyStore::new();
    store.load(file, password.as_bytes()).map_err(|_| VaultError::Unreadable)?;
    let mut aliases = store.aliases();
    aliases.sort_unstable();
    let mut vault = Vault::new(VaultFormat::Jks);
    for alias in aliases {
        if !store.is_private_key_entry(&alias) {
            vault.others = true;
            continue;
        }
        let entry =
            store.get_private_key_entry(&alias, password.as_bytes()).map_err(|_| VaultError::Unreadable)?;
        let age = entry.creation_time.duration_since(UNIX_EPOCH).unwrap_or_default();
        vault.entries.push(Entry {
            alias,
            pkcs8: Zeroizing::new(entry.private_key),
            chain: entry.certificate_chain.into_iter().map(|certificate| certificate.content).collect(),
            created: UnixMillis(0) + age,
        });
    }
    Ok(vault)
}

/// Java's digest over password and content, with the constant that its authors chose.
fn is_intact(file: &[u8], password: &str) -> bool {
    let Some((content, digest)) = file.split_last_chunk::<DIGEST>() else { return false };
    let characters: Zeroizing<Vec<u8>> =
        Zeroizing::new(password.bytes().flat_map(|octet| [0, octet]).collect());
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in [characters.as_slice(), b"Mighty Aphrodite", content] {
        context.update(part);
    }
    context.finish().as_ref().ct_eq(digest).into()
}

pub(super) fn write(vault: &Vault, password: &str) -> Result<Vec<u8>, VaultError> {
    let mut store = KeyStore::new();
    for entry in &vault.entries {
        let millis = u64::try_from(entry.created.as_i64()).unwrap_or(0);
        let certificate = |der: &Vec<u8>| Certificate { cert_type: "X.509".to_owned(), content: der.clone() };
        let record = PrivateKeyEntry {
            creation_time: UNIX_EPOCH + Duration::from_millis(millis),
            private_key: entry.pkcs8.to_vec(),
            certificate_chain: entry.chain.iter().map(certificate).collect(),
        };
        store
            .set_private_key_entry(&entry.alias, record, password.as_bytes())
            .map_err(|_| VaultError::NotWritable)?;
    }
    let mut file = Vec::new();
    store.store(&mut file, password.as_bytes()).map_err(|_| VaultError::NotWritable)?;
    Ok(file)
}
