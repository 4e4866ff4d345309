//! Keystore files, damaged or strange.

use std::sync::LazyLock;

use common::crypto::vault::{Vault, VaultFormat};
use common::models::UnixMillis;

const PASSWORD: &str = "correct horse";

/// A small file of each format that is right.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [VaultFormat::Pkcs12, VaultFormat::Jks].map(|format| {
        let mut vault = Vault::new(format);
        vault.add_x25519("acme", UnixMillis(1_700_000_000_000)).expect("a key");
        vault.to_bytes(PASSWORD).expect("a file")
    })
});

/// Checks octets as a file, and as changes to files that are right: what is altered does not open, or says the same.
pub fn check(octets: &[u8]) {
    open(octets);
    let [high, low, changes @ ..] = octets else { return };
    for file in FILES.iter() {
        let mut changed = file.clone();
        let start = usize::from(u16::from_be_bytes([*high, *low]));
        for (at, octet) in changes.iter().take(16).enumerate() {
            let at = (start + at) % changed.len();
            changed[at] ^= octet;
        }
        open(&changed);
    }
}

fn open(file: &[u8]) {
    let Ok(vault) = Vault::open(file, PASSWORD) else { return };
    for entry in vault.entries() {
        let client = entry.alias.split('#').next().unwrap_or_default();
        assert!(entry.key.is_none() || vault.sealing_key(client).is_ok() || entry.alias.contains('#'));
    }
    let _ = (vault.exposed(), vault.to_bytes(PASSWORD));
}
