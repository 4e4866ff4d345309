//! The vault: private keys of the SMS clients, RSA and X25519, in a Java keystore file (PKCS#12 or JKS).
//!
//! In: a file's bytes and its one password. Out: keys by client, newest first, or new bytes to be written by the
//! caller. An entry's alias is the client id; a client's later keys are `client#2`, `client#3`, ... of either kind.
//! Aliases are looked up ignoring case, as Java does. A key that others are known to have opens nothing.

mod certificate;
mod changes;
mod entry;
mod exposed;
mod jks_file;
mod pkcs12_file;

use super::sms_envelope::{KeyKind, Opener, OpeningKey, SealError, SealingKey};
use entry::Entry;

pub use entry::VaultEntry;
pub use exposed::{Exposed, Exposure, LOOP_BACK_CLIENT};

const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// Modulus of an RSA key made without further wishes.
pub const DEFAULT_BITS: u32 = 2048;

/// What a vault's file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VaultFormat {
    /// PKCS#12 as Java 9 and later write it: PBES2 with AES-256, MAC HMAC-SHA-256.
    #[default]
    Pkcs12,
    /// The older Java form; weak, for exchange with older programs only. Its password has six characters at least.
    Jks,
}

/// Why a vault cannot be opened, changed or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The password is wrong, or the file was changed.
    #[error("wrong password, or the vault is damaged")]
    WrongPassword,
    /// Not a keystore that we can read.
    #[error("not a PKCS#12 or JKS keystore")]
    Unreadable,
    /// A JCEKS keystore, which only Java reads.
    #[error("a JCEKS keystore: convert it with keytool -importkeystore -deststoretype PKCS12")]
    Jceks,
    /// Empty, with a control character, beyond the basic plane, or ending in `#` and digits (kept for later keys).
    #[error("this client id cannot be an alias of the vault")]
    BadAlias,
    /// The key is neither an RSA key of 2048 to 8192 bits nor an X25519 key.
    #[error("an RSA key of 2048 to 8192 bits or an X25519 key is needed")]
    BadKey,
    /// Others are known to have the key.
    #[error("not a key to be used: {0}")]
    Exposed(Exposure),
    /// No key under this alias.
    #[error("the vault has no key for this client")]
    NoSuchKey,
    /// It holds certificates or secret keys beside private keys, which writing would lose.
    #[error("the vault holds other entries than private keys, so it is not written")]
    OtherEntries,
    /// OpenSSL or the format's writer failed.
    #[error("the vault cannot be written")]
    NotWritable,
}

/// An opened vault.
pub struct Vault {
    format: VaultFormat,
    entries: Vec<Entry>,
    others: bool,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({:?}, {} keys)", self.format, self.entries.len())
    }
}

impl Vault {
    /// Makes an empty vault.
    pub fn new(format: VaultFormat) -> Self {
        Self { format, entries: Vec::new(), others: false }
    }

    /// Opens a file's bytes; the format is told from them.
    ///
    /// # Errors
    /// [`VaultError::WrongPassword`], [`VaultError::Unreadable`], [`VaultError::Jceks`].
    pub fn open(file: &[u8], password: &str) -> Result<Self, VaultError> {
        let mut vault = if file.starts_with(&JCEKS_MAGIC) {
            return Err(VaultError::Jceks);
        } else if file.starts_with(&JKS_MAGIC) {
            jks_file::read(file, password)?
        } else {
            pkcs12_file::read(file, password)?
        };
        vault.make_aliases_unique();
        Ok(vault)
    }

    /// Gives the file's bytes, in the vault's own format.
    ///
    /// # Errors
    /// [`VaultError::OtherEntries`], [`VaultError::NotWritable`].
    pub fn to_bytes(&self, password: &str) -> Result<Vec<u8>, VaultError> {
        if self.others {
            return Err(VaultError::OtherEntries);
        }
        match self.format {
            VaultFormat::Pkcs12 => pkcs12_file::write(self, password),
            VaultFormat::Jks => jks_file::write(self, password),
        }
    }

    /// Gives the same keys for another format.
    #[must_use]
    pub fn with_format(self, format: VaultFormat) -> Self {
        Self { format, ..self }
    }

    /// Tells the format.
    pub fn format(&self) -> VaultFormat {
        self.format
    }

    /// Lists the aliases, sorted.
    pub fn aliases(&self) -> Vec<&str> {
        let mut aliases: Vec<_> = self.entries.iter().map(|entry| entry.alias.as_str()).collect();
        aliases.sort_unstable();
        aliases
    }

    /// Gives a client's keys, newest first; those that are neither RSA nor X25519 keys are passed over.
    pub fn keys(&self, client: &str) -> Vec<OpeningKey> {
        self.of_client(client).into_iter().filter_map(Entry::key).collect()
    }

    /// Makes what opens a client's envelopes, for one thread. `None` when the client has no key, or none but those of
    /// [`Vault::exposed`].
    pub fn opener(&self, client: &str) -> Option<Opener> {
        let keys: Vec<_> = self.sound(client).into_iter().filter_map(Entry::key).collect();
        if keys.is_empty() { None } else { Opener::new(&keys).ok() }
    }

    /// Gives a client's newest public key, of whatever kind, that is none of [`Vault::exposed`].
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`].
    pub fn sealing_key(&self, client: &str) -> Result<SealingKey, VaultError> {
        self.newest(client, |_| true)
    }

    /// Does as [`Vault::sealing_key`] with the keys of one kind.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`].
    pub fn sealing_key_of(&self, client: &str, kind: KeyKind) -> Result<SealingKey, VaultError> {
        self.newest(client, |key| key.kind() == kind)
    }

    fn newest(
        &self,
        client: &str,
        wanted: impl FnMut(&OpeningKey) -> bool,
    ) -> Result<SealingKey, VaultError> {
        let key = self.sound(client).into_iter().filter_map(Entry::key).find(wanted);
        key.and_then(|key| key.sealing_key().ok()).ok_or(VaultError::NoSuchKey)
    }

    /// Gives a client's keys but for those that others are known to have, newest first.
    fn sound(&self, client: &str) -> Vec<&Entry> {
        let exposures = self.exposures();
        let mut entries = self.of_client(client);
        entries.retain(|entry| exposures.of(entry).is_none());
        entries
    }

    fn of_client(&self, client: &str) -> Vec<&Entry> {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.created, generation(&entry.alias, client)?, entry)))
            .collect();
        found.sort_by_key(|(created, generation, _)| std::cmp::Reverse((*created, *generation)));
        found.into_iter().map(|(_, _, entry)| entry).collect()
    }

    /// Files made by other programs may use a name twice.
    fn make_aliases_unique(&mut self) {
        for mut entry in std::mem::take(&mut self.entries) {
            entry.alias = self.free_alias(&entry.alias);
            self.entries.push(entry);
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Tells which of the client's keys an alias names: 1 for `client`, N for `client#N`, none if another client's.
fn generation(alias: &str, client: &str) -> Option<u32> {
    if same(alias, client) {
        return Some(1);
    }
    let (name, number) = alias.rsplit_once('#')?;
    number.parse().ok().filter(|_| same(name, client))
}

/// Gives the client that an alias `client` or `client#N` belongs to.
fn base_name(alias: &str) -> &str {
    match alias.rsplit_once('#') {
        Some((client, number)) if number.parse::<u32>().is_ok() => client,
        _ => alias,
    }
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::UnusableKey | SealError::OtherKind => Self::BadKey,
            SealError::Failed => Self::NotWritable,
        }
    }
}

#[cfg(test)]
mod tests;
