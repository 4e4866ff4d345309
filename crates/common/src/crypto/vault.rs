//! The vault: private keys of the SMS clients, in a Java keystore file (PKCS#12 or JKS).
//!
//! In: a file's bytes and its one password. Out: keys by client, newest first, or new bytes to be written by the
//! caller. An entry's alias is the client id; a client's later keys are `client#2`, `client#3`, ... Aliases are looked
//! up ignoring case, as Java does.

mod certificate;
mod jks_file;
mod pkcs12_file;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use super::sms_envelope::{OpeningKey, SealError, SealingKey};
use crate::models::UnixMillis;

const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// Modulus of a key made without further wishes.
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
    /// The key is not an RSA key of 2048 to 8192 bits.
    #[error("an RSA key of 2048 to 8192 bits is needed")]
    BadKey,
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

/// One private key with its certificates.
struct Entry {
    alias: String,
    pkcs8: Zeroizing<Vec<u8>>,
    /// DER, the key's own certificate first.
    chain: Vec<Vec<u8>>,
    /// When it was made, as far as the file tells; else the epoch.
    created: UnixMillis,
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

    /// Gives a client's keys, newest first; those that are not RSA keys are passed over.
    pub fn keys(&self, client: &str) -> Vec<OpeningKey> {
        self.of_client(client)
            .into_iter()
            .filter_map(|entry| OpeningKey::from_pkcs8(&entry.pkcs8).ok())
            .collect()
    }

    /// Gives a client's newest public key.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`].
    pub fn sealing_key(&self, client: &str) -> Result<SealingKey, VaultError> {
        let keys = self.keys(client);
        keys.first().and_then(|key| key.sealing_key().ok()).ok_or(VaultError::NoSuchKey)
    }

    /// Makes a new RSA key with a self-signed certificate for 100 years, and gives its alias. A client that has keys
    /// keeps them.
    ///
    /// # Errors
    /// [`VaultError::BadAlias`], [`VaultError::BadKey`] for the number of bits, [`VaultError::NotWritable`].
    pub fn add(&mut self, client: &str, bits: u32, now: UnixMillis) -> Result<&str, VaultError> {
        if !(2048..=8192).contains(&bits) {
            return Err(VaultError::BadKey);
        }
        check_alias(client)?;
        let rsa = Rsa::generate(bits).map_err(|_| VaultError::NotWritable)?;
        let key = PKey::from_rsa(rsa).map_err(|_| VaultError::NotWritable)?;
        let pkcs8 = key.private_key_to_pkcs8().map_err(|_| VaultError::NotWritable)?;
        self.insert(client, Zeroizing::new(pkcs8), now)
    }

    /// Takes an existing key (PKCS#8 DER, RSA of 2048 to 8192 bits) with a fresh self-signed certificate, and gives
    /// its alias.
    ///
    /// # Errors
    /// [`VaultError::BadAlias`], [`VaultError::BadKey`], [`VaultError::NotWritable`].
    pub fn import(&mut self, client: &str, pkcs8: &[u8], now: UnixMillis) -> Result<&str, VaultError> {
        check_alias(client)?;
        let key = PKey::private_key_from_pkcs8(pkcs8).map_err(|_| VaultError::BadKey)?;
        let fits = OpeningKey::from_pkcs8(pkcs8).is_ok() && (2048..=8192).contains(&key.bits());
        if !fits {
            return Err(VaultError::BadKey);
        }
        self.insert(client, Zeroizing::new(pkcs8.to_vec()), now)
    }

    /// Takes the RSA keys of another vault, of one client or of all, with their certificates and ages; a key of unknown
    /// age counts as made now. Those that are here already are passed over. Gives the aliases of the others.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`] when there is nothing to take, [`VaultError::BadAlias`] for a name that cannot stay.
    pub fn merge(
        &mut self,
        other: &Self,
        client: Option<&str>,
        now: UnixMillis,
    ) -> Result<Vec<String>, VaultError> {
        let wanted = |entry: &&Entry| {
            let named = client.is_none_or(|client| generation(&entry.alias, client).is_some());
            named && OpeningKey::from_pkcs8(&entry.pkcs8).is_ok()
        };
        // Oldest first, so that later keys of a client get the higher numbers.
        let mut found: Vec<&Entry> = other.entries.iter().filter(wanted).collect();
        found.sort_by_key(|entry| (entry.created, entry.alias.len(), entry.alias.as_str()));
        if found.is_empty() {
            return Err(VaultError::NoSuchKey);
        }
        let mut taken = Vec::new();
        for entry in found {
            let name = base_name(&entry.alias);
            check_alias(name)?;
            if self.of_client(name).iter().any(|held| held.pkcs8 == entry.pkcs8) {
                continue;
            }
            let created = if entry.created == UnixMillis(0) { now } else { entry.created };
            let alias = self.free_alias(name);
            let created = self.free_time(created);
            taken.push(alias.clone());
            self.entries.push(Entry {
                alias,
                pkcs8: entry.pkcs8.clone(),
                chain: entry.chain.clone(),
                created,
            });
        }
        Ok(taken)
    }

    /// Gives `wanted`, or else the first later millisecond: times name keys inside PKCS#12, so no two are the same.
    fn free_time(&self, wanted: UnixMillis) -> UnixMillis {
        let mut time = wanted.as_i64();
        while self.entries.iter().any(|entry| entry.created.as_i64() == time) {
            time += 1;
        }
        UnixMillis(time)
    }

    fn insert(
        &mut self,
        client: &str,
        pkcs8: Zeroizing<Vec<u8>>,
        now: UnixMillis,
    ) -> Result<&str, VaultError> {
        let certificate = certificate::self_signed(client, &pkcs8).map_err(|_| VaultError::NotWritable)?;
        // Times order a client's keys and name them inside PKCS#12, so no two are the same.
        let latest = self.entries.iter().map(|entry| entry.created.as_i64()).max().unwrap_or(0);
        let created = UnixMillis(now.as_i64().max(latest.saturating_add(1)));
        let alias = self.free_alias(client);
        self.entries.push(Entry { alias, pkcs8, chain: vec![certificate], created });
        Ok(self.entries.last().map_or("", |entry| entry.alias.as_str()))
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

    /// Gives `wanted`, or else the first free of `wanted#2`, `wanted#3`, ...
    fn free_alias(&self, wanted: &str) -> String {
        let taken = |alias: &str| self.entries.iter().any(|entry| same(&entry.alias, alias));
        let mut alias = wanted.to_owned();
        let mut next = 2_u32;
        while taken(&alias) {
            alias = format!("{wanted}#{next}");
            next += 1;
        }
        alias
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

fn check_alias(client: &str) -> Result<(), VaultError> {
    let numbered = base_name(client) != client;
    let storable = client.chars().all(|c| !c.is_control() && u32::from(c) <= 0xffff);
    if client.is_empty() || client.len() > 1024 || numbered || !storable {
        return Err(VaultError::BadAlias);
    }
    Ok(())
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NotAnRsaKey => Self::BadKey,
            SealError::Failed => Self::NotWritable,
        }
    }
}

#[cfg(test)]
mod tests;
