//! Version 1: RSA-OAEP around a fresh AES key, AES-256 in CFB mode around the message.
//!
//! Layout: a big-endian word (18 bits of magic, 14 bits N), N octets of wrapped key, then ciphertext to the end.
//! The form is given by existing clients; nothing in it authenticates the message.

mod oaep;

use std::cell::OnceCell;

use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::md::Md;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private, Public};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode};
use rsa_lanes::{Block, PrivateKey};
use zeroize::Zeroizing;

use super::{OpenError, PlainBytes, SealError};
use crate::crypto::token::random;

const MAGIC: u32 = 0b000100_001101_000010;
const LENGTH_BITS: u32 = 14;
/// The longest wrapped key that the header can tell.
pub(super) const MAX_WRAPPED: usize = (1 << LENGTH_BITS) - 1;
const AES_KEY: usize = 32;
const BLOCK: usize = 16;

/// Tells whether an envelope that begins so is of this version.
pub(super) fn is_magic(beginning: &[u8; 3]) -> bool {
    let [first, second, third] = *beginning;
    u32::from_be_bytes([0, first, second, third]) >> 6 == MAGIC
}

/// Gives the wrapped key and the body.
pub(super) fn split(envelope: &[u8]) -> Result<(&[u8], &[u8]), OpenError> {
    let (header, rest) = envelope.split_first_chunk().ok_or(OpenError::TooShort)?;
    let word = u32::from_be_bytes(*header);
    if word >> LENGTH_BITS != MAGIC {
        return Err(OpenError::NotAnEnvelope);
    }
    let wrapped = usize::try_from(word).unwrap_or(usize::MAX) & MAX_WRAPPED;
    rest.split_at_checked(wrapped).ok_or(OpenError::TooShort)
}

/// Opens envelopes with one key, its OpenSSL context made once.
pub(super) struct KeyOpener {
    key: PKey<Private>,
    context: PkeyCtx<Private>,
    /// As long as the modulus.
    unwrapped: Zeroizing<Vec<u8>>,
    /// The same key for the lanes, if they can use it; made when it is first asked for.
    in_lanes: OnceCell<Option<Box<PrivateKey>>>,
}

impl KeyOpener {
    pub(super) fn new(key: &PKeyRef<Private>) -> Result<Self, SealError> {
        let context = oaep_context(key, PkeyCtxRef::decrypt_init).map_err(|_| SealError::Failed)?;
        let unwrapped = Zeroizing::new(vec![0; key.size()]);
        Ok(Self { key: key.to_owned(), context, unwrapped, in_lanes: OnceCell::new() })
    }

    /// Gives the wrapped key of an envelope and this key, when lanes can decrypt it.
    pub(super) fn for_lanes<'a>(&'a self, envelope: &'a [u8]) -> Option<(&'a PrivateKey, &'a Block)> {
        let (wrapped, _) = split(envelope).ok()?;
        let rsa = || self.key.rsa().ok().filter(|_| rsa_lanes::is_available());
        let made = || PrivateKey::new(&*rsa()?).map(Box::new);
        Some((self.in_lanes.get_or_init(made).as_deref()?, wrapped.try_into().ok()?))
    }

    /// Opens an envelope; `decrypted`: what the lanes have made of its wrapped key with this key.
    pub(super) fn open(
        &mut self,
        envelope: &[u8],
        decrypted: Option<&Block>,
    ) -> Result<PlainBytes, OpenError> {
        let (wrapped, body) = split(envelope)?;
        if let Some(block) = decrypted {
            let key = oaep::unpad(block).ok_or(OpenError::WrongKey)?;
            return open_body(key.as_slice(), body);
        }
        if wrapped.len() != self.unwrapped.len() {
            return Err(OpenError::WrongKey);
        }
        let len =
            self.context.decrypt(wrapped, Some(&mut self.unwrapped)).map_err(|_| OpenError::WrongKey)?;
        let key = self.unwrapped.get(..len).filter(|key| key.len() == AES_KEY).ok_or(OpenError::WrongKey)?;
        open_body(key, body)
    }
}

/// Gives header, wrapped key and body.
pub(super) fn seal(key: &PKeyRef<Public>, message: &[u8]) -> Result<Vec<u8>, SealError> {
    let aes_key = Zeroizing::new(random::<AES_KEY>().map_err(|_| SealError::Failed)?);
    let mut wrapped = Vec::new();
    let mut context = oaep_context(key, PkeyCtxRef::encrypt_init).map_err(|_| SealError::Failed)?;
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
