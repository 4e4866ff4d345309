//! The two kinds of keys, and the forms in which they are handed out.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::{Opener, SealError, Version, v1, v2};
use crate::crypto::keys::check_x25519;

/// The kinds of keys, one for each version of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, for version 1.
    Rsa,
    /// X25519 (RFC 7748), for version 2.
    X25519,
}

impl KeyKind {
    /// Gives the word for it in settings and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::X25519 => "x25519",
        }
    }

    /// Gives the version of the envelope that such keys are for.
    pub fn version(self) -> Version {
        match self {
            Self::Rsa => Version::V1,
            Self::X25519 => Version::V2,
        }
    }

    /// `None` for a key of another kind, or too large for the header of version 1.
    fn of<T: HasPublic>(key: &PKeyRef<T>) -> Option<Self> {
        match key.id() {
            Id::RSA if key.size() <= v1::MAX_WRAPPED => Some(Self::Rsa),
            Id::X25519 => {
                let coordinate = key.raw_public_key().ok()?.try_into().ok()?;
                check_x25519(&coordinate).ok().map(|()| Self::X25519)
            }
            _ => None,
        }
    }

    /// Gives the size of the modulus, or of the coordinate.
    fn bits<T>(self, key: &PKeyRef<T>) -> u32
    where
        T: HasPublic,
    {
        match self {
            Self::Rsa => key.bits(),
            Self::X25519 => 255,
        }
    }
}

/// A word that names no [`KeyKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected rsa or x25519")]
pub struct UnknownKeyKind;

impl std::str::FromStr for KeyKind {
    type Err = UnknownKeyKind;

    fn from_str(word: &str) -> Result<Self, UnknownKeyKind> {
        [Self::Rsa, Self::X25519].into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownKeyKind)
    }
}

/// A client's public key.
#[derive(Clone)]
pub struct SealingKey {
    kind: KeyKind,
    key: PKey<Public>,
}

impl SealingKey {
    /// Takes the DER of a SubjectPublicKeyInfo (RFC 8017 §A.1, RFC 8410 §4).
    ///
    /// # Errors
    /// [`SealError::UnusableKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, SealError> {
        Self::checked(PKey::public_key_from_der(der).map_err(|_| SealError::UnusableKey)?)
    }

    /// Reads what the tools hand out, one line of base64 of the DER; or PEM. White space around it does not matter.
    ///
    /// # Errors
    /// [`SealError::UnusableKey`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN") {
            let key = PKey::public_key_from_pem(text.as_bytes());
            return Self::checked(key.map_err(|_| SealError::UnusableKey)?);
        }
        Self::from_der(&STANDARD.decode(text).map_err(|_| SealError::UnusableKey)?)
    }

    fn checked(key: PKey<Public>) -> Result<Self, SealError> {
        let kind = KeyKind::of(&key).ok_or(SealError::UnusableKey)?;
        Ok(Self { kind, key })
    }

    /// Gives base64 of the DER, one line without its end.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn to_line(&self) -> Result<String, SealError> {
        Ok(STANDARD.encode(self.to_der()?))
    }

    fn to_der(&self) -> Result<Vec<u8>, SealError> {
        self.key.public_key_to_der().map_err(|_| SealError::Failed)
    }

    /// Gives the SHA-256 of the DER, which is the same for a key in whatever file it is.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn fingerprint(&self) -> Result<[u8; 32], SealError> {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, &self.to_der()?).as_ref());
        Ok(fingerprint)
    }

    /// Tells the kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Gives the size in bits: of the modulus, or 255 for X25519.
    pub fn bits(&self) -> u32 {
        self.kind.bits(&self.key)
    }

    pub(super) fn rsa(&self) -> Result<&PKeyRef<Public>, SealError> {
        if self.kind == KeyKind::Rsa { Ok(&self.key) } else { Err(SealError::OtherKind) }
    }

    pub(super) fn x25519(&self) -> Result<v2::PublicKey, SealError> {
        if self.kind != KeyKind::X25519 {
            return Err(SealError::OtherKind);
        }
        v2::public_key(&self.key.raw_public_key().map_err(|_| SealError::Failed)?)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, {} bits)", self.kind.as_str(), self.bits())
    }
}

/// A client's private key: cheap to clone, may be shared by threads. A thread that opens many envelopes makes an
/// [`Opener`] of its own.
#[derive(Clone)]
pub struct OpeningKey {
    kind: KeyKind,
    key: PKey<Private>,
    pkcs8: Arc<Zeroizing<Vec<u8>>>,
}

impl OpeningKey {
    /// Takes the DER of a PKCS#8 private key (RFC 5958, RFC 8410 §7), as OpenSSL and Java write it.
    ///
    /// # Errors
    /// [`SealError::UnusableKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SealError> {
        let key = PKey::private_key_from_pkcs8(der).map_err(|_| SealError::UnusableKey)?;
        let kind = KeyKind::of(&key).ok_or(SealError::UnusableKey)?;
        Ok(Self { kind, key, pkcs8: Arc::new(Zeroizing::new(der.to_vec())) })
    }

    /// Gives the public half.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn sealing_key(&self) -> Result<SealingKey, SealError> {
        let der = self.key.public_key_to_der().map_err(|_| SealError::Failed)?;
        SealingKey::from_der(&der)
    }

    /// Tells the kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Gives the size in bits: of the modulus, or 255 for X25519.
    pub fn bits(&self) -> u32 {
        self.kind.bits(&self.key)
    }

    /// Makes an opener for one thread that knows this key alone.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn opener(&self) -> Result<Opener, SealError> {
        Opener::new(std::slice::from_ref(self))
    }

    /// Makes what opens version 1 with a copy of the key: OpenSSL's threads do not meet at its blinding lock.
    pub(super) fn v1_opener(&self) -> Result<v1::KeyOpener, SealError> {
        let key = PKey::private_key_from_pkcs8(&self.pkcs8).map_err(|_| SealError::Failed)?;
        v1::KeyOpener::new(&key)
    }

    pub(super) fn v2_opener(&self) -> Result<v2::KeyOpener, SealError> {
        let octets = Zeroizing::new(self.key.raw_private_key().map_err(|_| SealError::Failed)?);
        v2::KeyOpener::new(&octets)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({}, {} bits)", self.kind.as_str(), self.bits())
    }
}
