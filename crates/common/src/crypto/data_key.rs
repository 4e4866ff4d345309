//! The secret of a server from which it derives the keys for what it keeps in tables: secrets that it must be able to
//! read again are sealed under it, guessable values (codes, names) are stored as its keyed hashes.
//!
//! Every purpose has a key of its own (HKDF, RFC 5869), so what was made for one is worth nothing for another. Whoever
//! has the tables and not this key learns neither.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac::{HMAC_SHA256, Key as MacKey, sign};
use zeroize::Zeroizing;

use super::Secret;
use super::token::{NoRandomness, random};

const SALT: &[u8] = b"sealpost data key v1";
const OCTETS: usize = 32;

/// Text that is not 32 octets in base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 32 bytes in base64url")]
pub struct InvalidDataKey;

/// Something sealed that does not open: made under another key, for another purpose or owner, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed under another data key, or damaged")]
pub struct NotOurs;

/// The key; cheap to clone, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct DataKey(Prk);

impl DataKey {
    /// Takes 32 random octets in base64url without padding, as [`PlainToken`](super::token::PlainToken) has them.
    ///
    /// # Errors
    /// [`InvalidDataKey`].
    pub fn from_text(text: &str) -> Result<Self, InvalidDataKey> {
        let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidDataKey)?);
        if octets.len() != OCTETS {
            return Err(InvalidDataKey);
        }
        Ok(Self(Salt::new(HKDF_SHA256, SALT).extract(&octets)))
    }

    /// Derives the key from a secret of any form that is hard to guess.
    pub fn of_secret(secret: &Secret<String>) -> Self {
        Self(Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes()))
    }

    /// Gives the keyed hash (HMAC-SHA-256) of `parts`, which cannot be shifted into each other, for one purpose.
    pub fn mac(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; OCTETS] {
        let mut message = Zeroizing::new(Vec::new());
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        let key = MacKey::new(HMAC_SHA256, self.derive(purpose).as_slice());
        let mut mac = [0; OCTETS];
        mac.copy_from_slice(sign(&key, &message).as_ref());
        mac
    }

    /// Seals `plain` (AES-256-GCM under a random nonce, which comes first); it opens for the same purpose and owner
    /// only, so that a row's secret is of no use in another row.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn seal(&self, purpose: &'static str, owner: &[u8], plain: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = plain.to_vec();
        // The key has its length by its type, and no plain text of ours is near the limit of the cipher.
        self.aead(purpose)
            .and_then(|key| {
                key.seal_in_place_append_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(owner),
                    &mut sealed,
                )
            })
            .map_err(|_| NoRandomness)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`DataKey::seal`] made.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn open(
        &self,
        purpose: &'static str,
        owner: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotOurs)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let key = self.aead(purpose).map_err(|_| NotOurs)?;
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(owner), &mut rest)
            .map_err(|_| NotOurs)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    fn aead(&self, purpose: &'static str) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&AES_256_GCM, self.derive(purpose).as_slice()).map(LessSafeKey::new)
    }

    fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; OCTETS]> {
        struct Length;
        impl KeyType for Length {
            fn len(&self) -> usize {
                OCTETS
            }
        }
        let mut key = Zeroizing::new([0; OCTETS]);
        // HKDF refuses only lengths over 255 hashes.
        let filled =
            self.0.expand(&[purpose.as_bytes()], Length).and_then(|okm| okm.fill(key.as_mut_slice()));
        debug_assert!(filled.is_ok(), "one hash can always be filled");
        key
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> DataKey {
        DataKey::from_text(&URL_SAFE_NO_PAD.encode([octet; OCTETS])).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_owner_alone() {
        let sealed = key(1).seal("totp", b"alice", b"secret").unwrap();

        assert_eq!(key(1).open("totp", b"alice", &sealed).unwrap().as_slice(), b"secret");
        assert_ne!(key(1).seal("totp", b"alice", b"secret").unwrap(), sealed, "each has its own nonce");
        for refused in [
            key(2).open("totp", b"alice", &sealed),
            key(1).open("mail", b"alice", &sealed),
            key(1).open("totp", b"bob", &sealed),
            key(1).open("totp", b"alice", &sealed[..sealed.len() - 1]),
            key(1).open("totp", b"alice", &[]),
        ] {
            assert_eq!(refused.unwrap_err(), NotOurs);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_sealed_opens_and_whatever_is_changed_does_not(plain: Vec<u8>, owner: Vec<u8>, flip: proptest::sample::Index) {
            let mut sealed = key(1).seal("totp", &owner, &plain).unwrap();
            let opened = key(1).open("totp", &owner, &sealed).unwrap();
            proptest::prop_assert_eq!(opened.as_slice(), &plain[..]);

            let place = flip.index(sealed.len());
            sealed[place] ^= 1;
            proptest::prop_assert_eq!(key(1).open("totp", &owner, &sealed).unwrap_err(), NotOurs);
        }
    }

    #[test]
    fn a_mac_depends_on_key_purpose_and_the_cut_of_the_parts() {
        let mac = key(1).mac("login", &[b"ab", b"c"]);

        assert_eq!(key(1).mac("login", &[b"ab", b"c"]), mac);
        assert_ne!(key(1).mac("login", &[b"a", b"bc"]), mac);
        assert_ne!(key(1).mac("totp", &[b"ab", b"c"]), mac);
        assert_ne!(key(2).mac("login", &[b"ab", b"c"]), mac);
    }

    #[test]
    fn only_32_octets_are_a_key() {
        for text in ["", "AAAA", &"A".repeat(44), "not base64 at all, but long enough to be"] {
            assert_eq!(DataKey::from_text(text).unwrap_err(), InvalidDataKey, "{text}");
        }
        assert_eq!(format!("{:?}", key(1)), "DataKey([redacted])");
    }
}
