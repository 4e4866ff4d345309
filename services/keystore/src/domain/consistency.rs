//! Questions by which clients find out that what they hold and what is stored have come apart.

use std::collections::HashMap;

use common::models::{AccountId, Base64Bytes, KeyId};
use ring::digest::{Context, SHA256, digest};

use super::KeystoreError;
use super::upload::{Owner, owned};
use crate::app::State;
use crate::store::{accounts, devices, last_resort};

/// Identities compared in one request at most.
const MAX_IDENTITIES: usize = 1000;

/// The keys of a device that stay until they are replaced.
struct StandingKeys<'a> {
    identity: &'a [u8],
    signed: (KeyId, &'a [u8]),
    last_resort: (KeyId, &'a [u8]),
}

impl StandingKeys<'_> {
    /// SHA-256 over the identity key and, each behind its id (8 octets, big endian), the signed prekey and the last-resort
    /// key; all keys as serialized, with their prefixes. As Signal-Server's `POST /v2/keys/check`.
    fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(self.identity);
        for (id, key) in [self.signed, self.last_resort] {
            context.update(&i64::from(id.as_i32()).to_be_bytes());
            context.update(key);
        }
        let mut octets = [0; 32];
        octets.copy_from_slice(context.finish().as_ref());
        octets
    }
}

/// Compares the keys of the caller's device that stay with what the caller holds.
///
/// # Errors
/// [`KeystoreError::KeysDiffer`], [`KeystoreError::NoDevice`].
pub(crate) async fn check(state: &State, owner: Owner, expected: [u8; 32]) -> Result<(), KeystoreError> {
    let found = state.db.read(move |conn| {
        let identity = accounts::identity(conn, owner.account)?.ok_or(KeystoreError::NoDevice)?;
        let device = owned(devices::find(conn, owner.account, owner.device)?, owner)?;
        let last_resort = last_resort::find(conn, owner.account, owner.device)?;
        let last_resort = last_resort.ok_or(KeystoreError::KeysDiffer)?;
        let keys = StandingKeys {
            identity: &identity.0,
            signed: (device.signed_key_id, &device.signed_key.0),
            last_resort: (last_resort.key_id, &last_resort.public_key.0),
        };
        Ok::<_, KeystoreError>(keys.digest())
    });
    if found.await? == expected { Ok(()) } else { Err(KeystoreError::KeysDiffer) }
}

/// The first four octets of SHA-256 over an identity key.
pub(crate) type Fingerprint = [u8; 4];

/// An account and the fingerprint of the identity that somebody holds for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldIdentity {
    pub(crate) account: AccountId,
    pub(crate) fingerprint: Fingerprint,
}

/// Compares identities with those stored; returns those that differ. Accounts without an identity are left out.
///
/// # Errors
/// [`KeystoreError::TooManyIdentities`].
pub(crate) async fn changed_identities(
    state: &State,
    held: Vec<HeldIdentity>,
) -> Result<Vec<(AccountId, Base64Bytes)>, KeystoreError> {
    if held.len() > MAX_IDENTITIES {
        return Err(KeystoreError::TooManyIdentities(MAX_IDENTITIES));
    }
    let accounts: Vec<AccountId> = held.iter().map(|one| one.account).collect();
    let stored = state.db.read(move |conn| accounts::identities(conn, &accounts)).await?;
    let held: HashMap<AccountId, Fingerprint> =
        held.into_iter().map(|one| (one.account, one.fingerprint)).collect();
    let differs = |(account, identity): &(AccountId, Base64Bytes)| {
        held.get(account)
            .is_some_and(|fingerprint| !digest(&SHA256, &identity.0).as_ref().starts_with(fingerprint))
    };
    Ok(stored.into_iter().filter(differs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_covers_ids_as_eight_octets_and_keys_with_their_prefix() {
        let keys = StandingKeys {
            identity: &[5, 1],
            signed: (KeyId::new(0x0102_0304).unwrap(), &[5, 2]),
            last_resort: (KeyId::new(7).unwrap(), &[8, 3]),
        };

        let octets = [5, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 2, 0, 0, 0, 0, 0, 0, 0, 7, 8, 3];
        assert_eq!(keys.digest(), digest(&SHA256, &octets).as_ref());
    }
}
