//! The SMS envelope: what keeps a message unreadable from its sender to the gateway.
//!
//! In: a message and a client's public key, or an envelope and the client's private keys. Out: the other one. The key's
//! kind decides the version, and an envelope tells its version by its first 18 bits:
//!
//! - Version 1 (RSA keys): the form of existing clients. Nothing in it authenticates the message, or ties it to its
//!   request.
//! - Version 2 (X25519 keys): HPKE, which does both. `proto/sms-envelope-v2.md` is its contract.
//!
//! What comes out is wiped when dropped, and no error tells anything of the content.

mod keys;
mod opener;
mod v1;
mod v2;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

pub use keys::{KeyKind, OpeningKey, SealingKey, UnknownKeyKind};
pub use opener::{Opener, Unwrapped, open_v1, unwrap_all, unwrapped_together};

/// As the known clients decode it: padding may be missing, and nobody looks at bits left over.
const PAYLOAD_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A decrypted message; wiped when dropped.
pub type PlainBytes = Zeroizing<Vec<u8>>;

/// Why an envelope cannot be opened. All of these mean INVALID to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The payload is not base64 in the standard alphabet, or has blanks or line ends in it.
    #[error("not base64")]
    NotBase64,
    /// The first bits are not the magic of a version that we know.
    #[error("not an encrypted message")]
    NotAnEnvelope,
    /// It ends within its header, its wrapped or encapsulated key, or (version 2) its tag.
    #[error("encrypted message is cut short")]
    TooShort,
    /// There is no key of the kind that this version needs.
    #[error("there is no key for this version of the encryption")]
    NoKey,
    /// Version 1: the key does not fit: made for another one, or tampered with.
    #[error("encrypted for another key, or damaged")]
    WrongKey,
    /// Version 1: the body's length or padding is wrong.
    #[error("encrypted message is damaged")]
    Damaged,
    /// Version 2: made for another key or another request, or tampered with. Which, cannot be told.
    #[error("encrypted for another key, client-id, correl-id or deadline, or damaged")]
    NotAuthentic,
}

/// A key that cannot be used, or cryptography that failed for reasons of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a key in a form that we know, or one that protects nothing.
    #[error("not an RSA or X25519 key")]
    UnusableKey,
    /// A key of the kind that the other version takes.
    #[error("this version of the encryption needs a key of the other kind")]
    OtherKind,
    /// OpenSSL or the random generator failed, or the key is too small for the wrapped key.
    #[error("encryption failed")]
    Failed,
}

/// The versions of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RSA-OAEP and AES-256-CFB.
    V1,
    /// HPKE.
    V2,
}

impl Version {
    /// Tells the version of an envelope from its beginning; its rest may still be nonsense.
    ///
    /// # Errors
    /// [`OpenError::TooShort`], [`OpenError::NotAnEnvelope`].
    pub fn of(envelope: &[u8]) -> Result<Self, OpenError> {
        let (header, _) = envelope.split_first_chunk().ok_or(OpenError::TooShort)?;
        match header {
            &v2::HEADER => Ok(Self::V2),
            header if v1::is_magic(header) => Ok(Self::V1),
            _ => Err(OpenError::NotAnEnvelope),
        }
    }
}

/// The request that an envelope of version 2 belongs to, with its fields' texts exactly as they stand in it (JSON
/// undone; a number or boolean as its text). With any other texts it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// `client-id`.
    pub client_id: &'a str,
    /// `correl-id`.
    pub correl_id: &'a str,
    /// `deadline`, not parsed and written again: no two programs need agree how to write an instant.
    pub deadline: &'a str,
}

/// Decodes the `payload` of a request.
///
/// # Errors
/// [`OpenError::NotBase64`].
pub fn decode_payload(text: &str) -> Result<Vec<u8>, OpenError> {
    PAYLOAD_BASE64.decode(text).map_err(|_| OpenError::NotBase64)
}

/// Encodes an envelope for the `payload` of a request: one line, padded.
pub fn encode_payload(envelope: &[u8]) -> String {
    STANDARD.encode(envelope)
}

/// Seals a message for the holder of a key, in the version that the key's kind is for; gives the binary envelope, to be
/// put through [`encode_payload`].
///
/// # Errors
/// [`SealError::Failed`].
pub fn seal(key: &SealingKey, binding: &Binding<'_>, message: &[u8]) -> Result<Vec<u8>, SealError> {
    match key.kind() {
        KeyKind::Rsa => seal_v1(key, message),
        KeyKind::X25519 => seal_v2(key, binding, message),
    }
}

/// Seals a message in version 1.
///
/// # Errors
/// [`SealError::OtherKind`] unless the key is an RSA key, [`SealError::Failed`].
pub fn seal_v1(key: &SealingKey, message: &[u8]) -> Result<Vec<u8>, SealError> {
    v1::seal(key.rsa()?, message)
}

/// Seals a message in version 2: nobody can alter it, or put it into another request.
///
/// # Errors
/// [`SealError::OtherKind`] unless the key is an X25519 key, [`SealError::Failed`].
pub fn seal_v2(key: &SealingKey, binding: &Binding<'_>, message: &[u8]) -> Result<Vec<u8>, SealError> {
    v2::seal(&key.x25519()?, binding, message)
}

/// Names an envelope for a table of those seen: 16 octets of the SHA-256 of its encapsulated (version 2) or wrapped
/// (version 1) key, which a sender makes anew for each. Whoever repeats an envelope, and in version 1 whoever alters
/// the body of one, repeats the name.
///
/// # Errors
/// [`OpenError::TooShort`], [`OpenError::NotAnEnvelope`].
pub fn seal_id(envelope: &[u8]) -> Result<[u8; 16], OpenError> {
    let key = match Version::of(envelope)? {
        Version::V1 => v1::split(envelope)?.0,
        Version::V2 => v2::split(envelope)?.0,
    };
    let mut id = [0; 16];
    id.iter_mut().zip(digest(&SHA256, key).as_ref()).for_each(|(to, from)| *to = *from);
    Ok(id)
}

#[cfg(test)]
mod tests;
