//! The SMS envelope, version 1: RSA-OAEP around a fresh AES key, AES-256 in CFB mode around the message.
//!
//! Layout: a big-endian word (18 bits of magic, 14 bits N), N octets of wrapped key, then ciphertext to the end.
//! The form is given by existing clients; nothing in it authenticates the message. What comes out is wiped when
//! dropped, and no error tells anything of the content.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::md::Md;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode};
use zeroize::Zeroizing;

use super::token::random;

const MAGIC: u32 = 0b000100_001101_000010;
const LENGTH_BITS: u32 = 14;
const MAX_WRAPPED: usize = (1 << LENGTH_BITS) - 1;
const HEADER: usize = 4;
const AES_KEY: usize = 32;
const BLOCK: usize = 16;

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
    /// The first 18 bits are not the magic of version 1.
    #[error("not an encrypted message")]
    NotAnEnvelope,
    /// It ends within the header or the wrapped key.
    #[error("encrypted message is cut short")]
    TooShort,
    /// The key does not fit: made for another one, or tampered with.
    #[error("encrypted for another key, or damaged")]
    WrongKey,
    /// The body's length or padding is wrong.
    #[error("encrypted message is damaged")]
    Damaged,
}

/// A key that cannot be used, or cryptography that failed for reasons of the system.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not an RSA key in a form that we know.
    #[error("not an RSA key")]
    NotAnRsaKey,
    /// OpenSSL or the random generator failed, or the key is too small for the wrapped key.
    #[error("encryption failed")]
    Failed,
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

/// A client's public key.
#[derive(Clone)]
pub struct SealingKey(PKey<Public>);

impl SealingKey {
    /// Takes the DER of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`SealError::NotAnRsaKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, SealError> {
        let key = PKey::public_key_from_der(der).map_err(|_| SealError::NotAnRsaKey)?;
        if usable(&key) { Ok(Self(key)) } else { Err(SealError::NotAnRsaKey) }
    }

    /// Reads what the tools hand out, one line of base64 of the DER; or PEM. White space around it does not matter.
    ///
    /// # Errors
    /// [`SealError::NotAnRsaKey`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN") {
            let key = PKey::public_key_from_pem(text.as_bytes()).map_err(|_| SealError::NotAnRsaKey)?;
            return if usable(&key) { Ok(Self(key)) } else { Err(SealError::NotAnRsaKey) };
        }
        Self::from_der(&STANDARD.decode(text).map_err(|_| SealError::NotAnRsaKey)?)
    }

    /// Gives base64 of the DER, one line without its end.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn to_line(&self) -> Result<String, SealError> {
        self.0.public_key_to_der().map(|der| STANDARD.encode(der)).map_err(|_| SealError::Failed)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({} bits)", self.0.bits())
    }
}

fn usable<T: HasPublic>(key: &PKeyRef<T>) -> bool {
    key.id() == Id::RSA && key.size() <= MAX_WRAPPED
}

/// A client's private key: cheap to clone, may be shared by threads. A thread that opens many envelopes makes an
/// [`Opener`] of its own.
#[derive(Clone)]
pub struct OpeningKey {
    key: PKey<Private>,
    pkcs8: Arc<Zeroizing<Vec<u8>>>,
}

impl OpeningKey {
    /// Takes the DER of a PKCS#8 private key.
    ///
    /// # Errors
    /// [`SealError::NotAnRsaKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SealError> {
        let key = PKey::private_key_from_pkcs8(der).map_err(|_| SealError::NotAnRsaKey)?;
        if !usable(&key) {
            return Err(SealError::NotAnRsaKey);
        }
        Ok(Self { key, pkcs8: Arc::new(Zeroizing::new(der.to_vec())) })
    }

    /// Gives the public half.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn sealing_key(&self) -> Result<SealingKey, SealError> {
        let der = self.key.public_key_to_der().map_err(|_| SealError::Failed)?;
        SealingKey::from_der(&der)
    }

    /// Makes an opener for one thread, with a copy of the key: OpenSSL's threads do not meet at its blinding lock.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn opener(&self) -> Result<Opener, SealError> {
        let key = PKey::private_key_from_pkcs8(&self.pkcs8).map_err(|_| SealError::Failed)?;
        let context = oaep_context(&key, PkeyCtxRef::decrypt_init).map_err(|_| SealError::Failed)?;
        Ok(Opener { context, unwrapped: Zeroizing::new(vec![0; key.size()]) })
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({} bits)", self.key.bits())
    }
}

/// Opens envelopes with one key, its OpenSSL context made once.
pub struct Opener {
    context: PkeyCtx<Private>,
    /// As long as the modulus.
    unwrapped: Zeroizing<Vec<u8>>,
}

impl Opener {
    /// Opens an envelope (binary, after [`decode_payload`]).
    ///
    /// # Errors
    /// [`OpenError`]; never [`OpenError::NotBase64`].
    pub fn open_v1(&mut self, envelope: &[u8]) -> Result<PlainBytes, OpenError> {
        let (header, rest) = envelope.split_first_chunk::<HEADER>().ok_or(OpenError::TooShort)?;
        let word = u32::from_be_bytes(*header);
        if word >> LENGTH_BITS != MAGIC {
            return Err(OpenError::NotAnEnvelope);
        }
        let wrapped_len = usize::try_from(word).unwrap_or(usize::MAX) & MAX_WRAPPED;
        let (wrapped, body) = rest.split_at_checked(wrapped_len).ok_or(OpenError::TooShort)?;
        if wrapped.len() != self.unwrapped.len() {
            return Err(OpenError::WrongKey);
        }

        let len =
            self.context.decrypt(wrapped, Some(&mut self.unwrapped)).map_err(|_| OpenError::WrongKey)?;
        let key = self.unwrapped.get(..len).filter(|key| key.len() == AES_KEY).ok_or(OpenError::WrongKey)?;
        open_body(key, body)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({} bits)", self.unwrapped.len() * 8)
    }
}

/// Opens one envelope; for many, [`OpeningKey::opener`] is faster.
///
/// # Errors
/// [`OpenError`]; never [`OpenError::NotBase64`].
pub fn open_v1(key: &OpeningKey, envelope: &[u8]) -> Result<PlainBytes, OpenError> {
    key.opener().map_err(|_| OpenError::WrongKey)?.open_v1(envelope)
}

/// Seals a message for the holder of a key; gives the binary envelope, to be put through [`encode_payload`].
///
/// # Errors
/// [`SealError::Failed`].
pub fn seal_v1(key: &SealingKey, message: &[u8]) -> Result<Vec<u8>, SealError> {
    let aes_key = Zeroizing::new(random::<AES_KEY>().map_err(|_| SealError::Failed)?);
    let mut wrapped = Vec::new();
    let mut context = oaep_context(&key.0, PkeyCtxRef::encrypt_init).map_err(|_| SealError::Failed)?;
    context.encrypt_to_vec(aes_key.as_slice(), &mut wrapped).map_err(|_| SealError::Failed)?;
    let length = u32::try_from(wrapped.len()).map_err(|_| SealError::Failed)?;

    let mut envelope = (MAGIC << LENGTH_BITS | length).to_be_bytes().to_vec();
    envelope.append(&mut wrapped);
    envelope.extend_from_slice(&seal_body(aes_key.as_slice(), message)?);
    Ok(envelope)
}

/// Makes a context for OAEP with SHA-256 in both places; `init` says for which direction.
fn oaep_context<T: HasPublic>(
    key: &PKeyRef<T>,
    init: impl FnOnce(&mut PkeyCtxRef<T>) -> Result<(), ErrorStack>,
) -> Result<PkeyCtx<T>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    init(&mut context)?;
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(Md::sha256())?;
    context.set_rsa_mgf1_md(Md::sha256())?;
    Ok(context)
}

/// Runs AES-256-CFB128; the IV is the MD5 of the key, which is safe only since each key serves once.
fn cfb(mode: Mode, key: &[u8], input: &[u8]) -> Result<PlainBytes, ErrorStack> {
    let iv = hash(MessageDigest::md5(), key)?;
    let mut crypter = Crypter::new(Cipher::aes_256_cfb128(), mode, key, Some(&iv))?;
    // OpenSSL asks for a block more than it needs in a stream mode.
    let mut output = Zeroizing::new(vec![0; input.len() + BLOCK]);
    let length = crypter.update(input, &mut output)?;
    output.truncate(length);
    Ok(output)
}

fn seal_body(key: &[u8], message: &[u8]) -> Result<PlainBytes, SealError> {
    let missing = BLOCK - message.len() % BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(message.len() + missing));
    padded.extend_from_slice(message);
    padded.resize(message.len() + missing, u8::try_from(missing).unwrap_or(0));
    cfb(Mode::Encrypt, key, &padded).map_err(|_| SealError::Failed)
}

fn open_body(key: &[u8], body: &[u8]) -> Result<PlainBytes, OpenError> {
    if body.is_empty() {
        // Contract: an envelope without a body opens, and its emptiness then breaks the payload's grammar.
        return Ok(PlainBytes::default());
    }
    if !body.len().is_multiple_of(BLOCK) {
        return Err(OpenError::Damaged);
    }
    let mut message = cfb(Mode::Decrypt, key, body).map_err(|_| OpenError::Damaged)?;
    let added = message.last().map_or(0, |last| usize::from(*last));
    let kept = message.len().checked_sub(added).ok_or(OpenError::Damaged)?;
    let padding = message.get(kept..).unwrap_or_default();
    let right = (1..=BLOCK).contains(&added) && padding.iter().all(|octet| usize::from(*octet) == added);
    if !right {
        return Err(OpenError::Damaged);
    }
    message.truncate(kept);
    Ok(message)
}

#[cfg(test)]
mod tests;
