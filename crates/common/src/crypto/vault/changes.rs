//! Putting keys into a vault: new ones, one from elsewhere, or those of another vault.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use super::exposed::is_loop_back;
use super::{Entry, Exposure, Vault, VaultError, base_name, certificate, generation, same};
use crate::crypto::sms_envelope::{KeyKind, OpeningKey};
use crate::models::UnixMillis;

/// Sizes of an RSA key that is taken.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

impl Vault {
    /// Makes a new RSA key with a self-signed certificate for 100 years, and gives its alias. A client that has keys
    /// keeps them.
    ///
    /// # Errors
    /// [`VaultError::BadAlias`], [`VaultError::BadKey`] for the number of bits, [`VaultError::NotWritable`].
    pub fn add(&mut self, client: &str, bits: u32, now: UnixMillis) -> Result<&str, VaultError> {
        if !RSA_BITS.contains(&bits) {
            return Err(VaultError::BadKey);
        }
        self.add_made(client, || PKey::from_rsa(Rsa::generate(bits)?), now)
    }

    /// Makes a new X25519 key with a certificate for 100 years, and gives its alias. A client that has keys keeps them.
    ///
    /// # Errors
    /// [`VaultError::BadAlias`], [`VaultError::NotWritable`].
    pub fn add_x25519(&mut self, client: &str, now: UnixMillis) -> Result<&str, VaultError> {
        self.add_made(client, PKey::generate_x25519, now)
    }

    fn add_made(
        &mut self,
        client: &str,
        make: impl FnOnce() -> Result<PKey<Private>, ErrorStack>,
        now: UnixMillis,
    ) -> Result<&str, VaultError> {
        check_alias(client)?;
        let pkcs8 = make().and_then(|key| key.private_key_to_pkcs8()).map_err(|_| VaultError::NotWritable)?;
        self.insert(client, Zeroizing::new(pkcs8), now)
    }

    /// Takes an existing key (PKCS#8 DER, RSA of 2048 to 8192 bits or X25519) with a fresh certificate, and gives its
    /// alias.
    ///
    /// # Errors
    /// [`VaultError::BadAlias`], [`VaultError::BadKey`], [`VaultError::Exposed`], [`VaultError::NotWritable`].
    pub fn import(&mut self, client: &str, pkcs8: &[u8], now: UnixMillis) -> Result<&str, VaultError> {
        check_alias(client)?;
        let key = OpeningKey::from_pkcs8(pkcs8).map_err(|_| VaultError::BadKey)?;
        if key.kind() == KeyKind::Rsa && !RSA_BITS.contains(&key.bits()) {
            return Err(VaultError::BadKey);
        }
        self.check_exposure(client, &key)?;
        self.insert(client, Zeroizing::new(pkcs8.to_vec()), now)
    }

    /// Takes the keys of another vault, of one client or of all, with their certificates and ages; a key of unknown age
    /// counts as made now. Those that are here already are passed over. Gives the aliases of the others.
    ///
    /// # Errors
    /// [`VaultError::NoSuchKey`] when there is nothing to take, [`VaultError::BadAlias`] for a name that cannot stay,
    /// [`VaultError::Exposed`]. Then nothing has been taken.
    pub fn merge(
        &mut self,
        other: &Self,
        client: Option<&str>,
        now: UnixMillis,
    ) -> Result<Vec<String>, VaultError> {
        let named = |entry: &&Entry| client.is_none_or(|client| generation(&entry.alias, client).is_some());
        // Oldest first, so that later keys of a client get the higher numbers.
        let mut found: Vec<_> =
            other.entries.iter().filter(named).filter_map(|e| Some((e, e.key()?))).collect();
        found.sort_by_key(|(entry, _)| (entry.created, entry.alias.len(), entry.alias.as_str()));
        if found.is_empty() {
            return Err(VaultError::NoSuchKey);
        }
        let exposures = other.exposures();
        for (entry, key) in &found {
            check_alias(base_name(&entry.alias))?;
            exposures.of(entry).map_or(Ok(()), |why| Err(VaultError::Exposed(why)))?;
            self.check_exposure(base_name(&entry.alias), key)?;
        }

        let mut taken = Vec::new();
        for (entry, _) in found {
            let name = base_name(&entry.alias);
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

    /// Refuses a key that would be exposed here, or would expose one that is here.
    fn check_exposure(&self, client: &str, key: &OpeningKey) -> Result<(), VaultError> {
        let fingerprint = key.sealing_key()?.fingerprint()?;
        let why = if is_loop_back(client) {
            let others = self.entries.iter().filter(|entry| !is_loop_back(&entry.alias));
            let shared = others.filter_map(Entry::fingerprint).any(|held| held == fingerprint);
            shared.then_some(Exposure::LoopBack)
        } else {
            self.exposures().of_fingerprint(&fingerprint)
        };
        why.map_or(Ok(()), |why| Err(VaultError::Exposed(why)))
    }

    fn insert(
        &mut self,
        client: &str,
        pkcs8: Zeroizing<Vec<u8>>,
        now: UnixMillis,
    ) -> Result<&str, VaultError> {
        let certificate = certificate::make(client, &pkcs8).map_err(|_| VaultError::NotWritable)?;
        // Times order a client's keys and name them inside PKCS#12, so no two are the same.
        let latest = self.entries.iter().map(|entry| entry.created.as_i64()).max().unwrap_or(0);
        let created = UnixMillis(now.as_i64().max(latest.saturating_add(1)));
        let alias = self.free_alias(client);
        self.entries.push(Entry { alias, pkcs8, chain: vec![certificate], created });
        Ok(self.entries.last().map_or("", |entry| entry.alias.as_str()))
    }

    /// Gives `wanted`, or else the first later millisecond: times name keys inside PKCS#12, so no two are the same.
    fn free_time(&self, wanted: UnixMillis) -> UnixMillis {
        let mut time = wanted.as_i64();
        while self.entries.iter().any(|entry| entry.created.as_i64() == time) {
            time += 1;
        }
        UnixMillis(time)
    }

    /// Gives `wanted`, or else the first free of `wanted#2`, `wanted#3`, ...
    pub(super) fn free_alias(&self, wanted: &str) -> String {
        let taken = |alias: &str| self.entries.iter().any(|entry| same(&entry.alias, alias));
        let mut alias = wanted.to_owned();
        let mut next = 2_u32;
        while taken(&alias) {
            alias = format!("{wanted}#{next}");
            next += 1;
        }
        alias
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
