//! What a vault holds.

use zeroize::Zeroizing;

use super::Vault;
use crate::crypto::sms_envelope::{KeyKind, OpeningKey};
use crate::models::UnixMillis;

/// One private key with its certificates.
pub(super) struct Entry {
    pub(super) alias: String,
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    /// DER, the key's own certificate first.
    pub(super) chain: Vec<Vec<u8>>,
    /// When it was made, as far as the file tells; else the epoch.
    pub(super) created: UnixMillis,
}

impl Entry {
    /// Gives the key; none if it is of another kind than ours.
    pub(super) fn key(&self) -> Option<OpeningKey> {
        OpeningKey::from_pkcs8(&self.pkcs8).ok()
    }
}

/// What a list of the vault tells of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultEntry<'a> {
    /// The client id, perhaps with `#` and a number.
    pub alias: &'a str,
    /// Kind and bits; `None` for a key that is of no use to us.
    pub key: Option<(KeyKind, u32)>,
    /// When it was made, if the file tells.
    pub created: Option<UnixMillis>,
}

impl<'a> VaultEntry<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self {
            alias: &entry.alias,
            key: entry.key().map(|key| (key.kind(), key.bits())),
            created: Some(entry.created).filter(|created| created.as_i64() != 0),
        }
    }
}

impl Vault {
    /// Describes the keys, sorted by alias.
    pub fn entries(&self) -> Vec<VaultEntry<'_>> {
        let mut entries: Vec<_> = self.entries.iter().map(VaultEntry::of).collect();
        entries.sort_unstable_by_key(|entry| entry.alias);
        entries
    }
}
