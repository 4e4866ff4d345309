//! Version 2: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
//!
//! Layout: three octets of header, 32 octets of encapsulated key, then ciphertext with its tag to the end. The request
//! that the envelope belongs to is its associated data. `proto/sms-envelope-v2.md` is the contract.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};

use super::{Binding, OpenError, PlainBytes, SealError};

/// 18 bits of magic, and 6 that say which suite: 0. In base64 it is `EN2A`.
pub(super) const HEADER: [u8; 3] = [0x10, 0xdd, 0x80];
/// Octets of the encapsulated key (RFC 9180 §7.1, Nenc).
const ENCAPSULATED: usize = 32;
/// Octets of the tag (RFC 9180 §7.3, Nt).
const TAG: usize = 16;
/// HPKE's `info`: no other use of the same keys gives the same secrets.
const INFO: &[u8] = b"sealpost sms envelope v2";

pub(super) type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncapsulatedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

impl Binding<'_> {
    /// Gives HPKE's `aad`: each text with its length before it, so that no two bindings look the same.
    pub(super) fn to_octets(self) -> Vec<u8> {
        let mut octets = Vec::new();
        for text in [self.client_id, self.correl_id, self.deadline] {
            // No request has a text of 4 GiB; one would not open, which is right for it.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            octets.extend(length.to_be_bytes());
            octets.extend(text.as_bytes());
        }
        octets
    }
}

/// Takes the 32 octets of a public key.
pub(super) fn public_key(octets: &[u8]) -> Result<PublicKey, SealError> {
    PublicKey::from_bytes(octets).map_err(|_| SealError::UnusableKey)
}

/// Gives the encapsulated key and the ciphertext with its tag.
pub(super) fn split(envelope: &[u8]) -> Result<(&[u8; ENCAPSULATED], &[u8]), OpenError> {
    let rest = envelope.strip_prefix(&HEADER).ok_or(OpenError::NotAnEnvelope)?;
    rest.split_first_chunk().filter(|(_, ciphertext)| ciphertext.len() >= TAG).ok_or(OpenError::TooShort)
}

/// Gives header, encapsulated key and ciphertext.
pub(super) fn seal(key: &PublicKey, binding: &Binding<'_>, message: &[u8]) -> Result<Vec<u8>, SealError> {
    let sealed = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        key,
        INFO,
        message,
        &binding.to_octets(),
    );
    let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::Failed)?;
    Ok(assemble(&encapsulated, &ciphertext))
}

fn assemble(encapsulated: &EncapsulatedKey, ciphertext: &[u8]) -> Vec<u8> {
    [HEADER.as_slice(), &encapsulated.to_bytes(), ciphertext].concat()
}

/// Opens envelopes with one key.
pub(super) struct KeyOpener(PrivateKey);

impl KeyOpener {
    /// Takes the 32 octets of a private key.
    pub(super) fn new(octets: &[u8]) -> Result<Self, SealError> {
        PrivateKey::from_bytes(octets).map(Self).map_err(|_| SealError::UnusableKey)
    }

    /// Opens an envelope whose binding is `aad`.
    pub(super) fn open(&self, envelope: &[u8], aad: &[u8]) -> Result<PlainBytes, OpenError> {
        let (encapsulated, ciphertext) = split(envelope)?;
        let encapsulated = EncapsulatedKey::from_bytes(encapsulated).map_err(|_| OpenError::NotAuthentic)?;
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            INFO,
            ciphertext,
            aad,
        );
        opened.map(PlainBytes::new).map_err(|_| OpenError::NotAuthentic)
    }
}

#[cfg(test)]
mod tests;
