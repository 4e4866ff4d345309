//! Devices as a libsignal client presents them: an identity, prekeys, and XEdDSA signatures that verify.
//!
//! Kyber keys are random octets behind the right prefix: a server cannot tell more than length and signature.

use common::crypto::keys::{EC_PREFIX, KYBER_LEN, KYBER_PREFIX};
use common::crypto::xeddsa::SIGNATURE_LEN;
use common::models::{Base64Bytes, DeviceId};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use ring::digest::{Context, SHA512};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// An identity key pair; the private half signs prekeys. One account has one, all its devices share it.
#[derive(Clone)]
pub struct Identity {
    secret: [u8; 32],
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Makes a random one.
    #[must_use]
    pub fn new() -> Self {
        Self { secret: clamp_integer(random()) }
    }

    /// The serialized public key, 33 octets.
    #[must_use]
    pub fn public_key(&self) -> Base64Bytes {
        serialized(MontgomeryPoint::mul_base_clamped(self.secret))
    }

    /// Signs as libsignal does: XEdDSA with the sign of the Edwards point in the top bit of the last octet.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Base64Bytes {
        let secret = Scalar::from_bytes_mod_order(self.secret);
        let public = EdwardsPoint::mul_base(&secret).compress().to_bytes();
        let mut prefix = [0xff; 32];
        prefix[0] = 0xfe;
        let nonce = hash(&[&prefix, &self.secret, message, &random::<64>()]);
        let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
        let proof = hash(&[&commitment, &public, message]) * secret + nonce;
        let mut signature = [commitment, proof.to_bytes()].concat();
        signature[SIGNATURE_LEN - 1] |= public[31] & 0x80;
        Base64Bytes(signature)
    }

    /// A signed Curve25519 prekey.
    #[must_use]
    pub fn signed_pre_key(&self, key_id: i64) -> SignedPreKey {
        self.signed(key_id, ec_key())
    }

    /// A signed Kyber prekey, one-time or last resort: they look the same.
    #[must_use]
    pub fn kyber_pre_key(&self, key_id: i64) -> SignedPreKey {
        self.signed(key_id, kyber_key())
    }

    fn signed(&self, key_id: i64, public_key: Base64Bytes) -> SignedPreKey {
        let signature = self.sign(&public_key.0);
        SignedPreKey { key_id, public_key, signature }
    }
}

/// A one-time prekey, unsigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreKey {
    /// 1..=2^31-1.
    pub key_id: i64,
    /// 33 octets.
    pub public_key: Base64Bytes,
}

impl PreKey {
    /// A random key.
    #[must_use]
    pub fn new(key_id: i64) -> Self {
        Self { key_id, public_key: ec_key() }
    }
}

/// A prekey with the identity's signature over its serialization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedPreKey {
    /// 1..=2^31-1.
    pub key_id: i64,
    /// 33 octets, or 1569 for Kyber.
    pub public_key: Base64Bytes,
    /// 64 octets.
    pub signature: Base64Bytes,
}

/// The body of `POST /v1/devices`, valid unless a test changes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRegistration {
    /// 1..=16383; tells two installations with one device id apart.
    pub registration_id: i64,
    /// Shown to the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account's identity.
    pub identity_key: Base64Bytes,
    /// Key id 1.
    pub signed_pre_key: SignedPreKey,
    /// Key ids from 1 on.
    pub pre_keys: Vec<PreKey>,
    /// Key id 1000.
    pub pq_last_resort_pre_key: SignedPreKey,
    /// Key ids from 1 on.
    pub pq_pre_keys: Vec<SignedPreKey>,
    /// The device whose place it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_device_id: Option<DeviceId>,
}

impl DeviceRegistration {
    /// A device of `identity` with three one-time keys of each kind and a random registration id.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let registration_id = i64::from(u16::from_le_bytes(random())) % 16383 + 1;
        Self {
            registration_id,
            name: None,
            identity_key: identity.public_key(),
            signed_pre_key: identity.signed_pre_key(1),
            pre_keys: pre_keys(1, 3),
            pq_last_resort_pre_key: identity.kyber_pre_key(1000),
            pq_pre_keys: kyber_pre_keys(identity, 1, 3),
            replace_device_id: None,
        }
    }

    /// The same device with so many one-time keys of each kind.
    #[must_use]
    pub fn with_keys(mut self, identity: &Identity, ec: usize, pq: usize) -> Self {
        self.pre_keys = pre_keys(1, ec);
        self.pq_pre_keys = kyber_pre_keys(identity, 1, pq);
        self
    }

    /// The same device in the place of `device`.
    #[must_use]
    pub fn replacing(mut self, device: DeviceId) -> Self {
        self.replace_device_id = Some(device);
        self
    }
}

/// `count` one-time keys with consecutive ids.
#[must_use]
pub fn pre_keys(first: i64, count: usize) -> Vec<PreKey> {
    (first..).take(count).map(PreKey::new).collect()
}

/// `count` signed Kyber keys with consecutive ids.
#[must_use]
pub fn kyber_pre_keys(identity: &Identity, first: i64, count: usize) -> Vec<SignedPreKey> {
    (first..).take(count).map(|id| identity.kyber_pre_key(id)).collect()
}

/// A random serialized Curve25519 public key.
#[must_use]
pub fn ec_key() -> Base64Bytes {
    serialized(MontgomeryPoint::mul_base_clamped(random()))
}

/// Random octets in the form of a Kyber-1024 public key.
#[must_use]
pub fn kyber_key() -> Base64Bytes {
    let mut key = random::<KYBER_LEN>();
    key[0] = KYBER_PREFIX;
    Base64Bytes(key.to_vec())
}

fn serialized(point: MontgomeryPoint) -> Base64Bytes {
    Base64Bytes([&[EC_PREFIX], &point.to_bytes()[..]].concat())
}

fn hash(parts: &[&[u8]]) -> Scalar {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    let wide = context.finish().as_ref().try_into().expect("SHA-512 has 64 octets");
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).expect("randomness");
    octets
}

#[cfg(test)]
mod tests {
    use common::crypto::{keys, xeddsa};

    use super::*;

    #[test]
    fn the_servers_own_checks_accept_every_device() {
        let mut signs = [false; 2];
        // Half of all identities have either sign, so both are met.
        for _ in 0..40 {
            let identity = Identity::new();
            let device = DeviceRegistration::new(&identity);
            let signer = identity.public_key();

            for key in [&device.signed_pre_key, &device.pq_last_resort_pre_key, &device.pq_pre_keys[2]] {
                xeddsa::verify(&signer.0, &key.public_key.0, &key.signature.0).unwrap();
                signs[usize::from(key.signature.0[SIGNATURE_LEN - 1] >> 7)] = true;
            }
            assert!(device.pre_keys.iter().all(|key| keys::check_ec(&key.public_key.0).is_ok()));
            keys::check_kyber(&device.pq_pre_keys[0].public_key.0).unwrap();
            assert!((1..=16383).contains(&device.registration_id));
        }
        assert_eq!(signs, [true; 2]);
    }

    #[test]
    fn another_identity_does_not_verify_it() {
        let key = Identity::new().signed_pre_key(1);

        let other = Identity::new().public_key();

        assert!(xeddsa::verify(&other.0, &key.public_key.0, &key.signature.0).is_err());
    }
}
