//! RSA-OAEP with SHA-256, as apps of the SMSWithoutBorders gateway server use it: the server's key, by which passwords
//! come in, and the keys of devices, under which shared keys go out.
//!
//! In: PEM (RFC 7468) with an RSA key of 2048 to 8192 bits. The mask generation hashes with SHA-1 (what Android does
//! unless told otherwise) or SHA-256; SHA-1 is sound there, as nothing depends on its collisions (RFC 8017 §B.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::{Padding, Rsa};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::token::NoRandomness;

const MADE_BITS: u32 = 2048;
const LEAST_BITS: u32 = 2048;
const MOST_BITS: u32 = 8192;

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRsaKey {
    /// Not a key in the expected form.
    #[error("not an RSA key in PEM")]
    Form,
    /// Too weak to protect anything, or so large that using it is an attack.
    #[error("an RSA key has 2048 to 8192 bits here")]
    Size,
}

/// Something encrypted that does not open, or something too long to be encrypted; nothing tells more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be decrypted, or encrypted, with this key")]
pub struct OaepFailed;

/// With what the mask is generated (MGF1, RFC 8017 §B.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MaskHash {
    /// SHA-1, the default of Android.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A private key; clones share it, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct OaepPrivateKey {
    key: PKey<Private>,
    public: OaepPublicKey,
}

impl OaepPrivateKey {
    /// Reads a private key from PEM, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`InvalidRsaKey`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidRsaKey> {
        let key = PKey::private_key_from_pem(pem.as_bytes()).map_err(|_| InvalidRsaKey::Form)?;
        check(&key)?;
        let der = key.public_key_to_der().map_err(|_| InvalidRsaKey::Form)?;
        Ok(Self { key, public: OaepPublicKey::from_der(&der)? })
    }

    /// Makes a key of 2048 bits, as PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate_pem() -> Result<Zeroizing<String>, NoRandomness> {
        let made = Rsa::generate(MADE_BITS).and_then(PKey::from_rsa);
        let pem = made.and_then(|key| key.private_key_to_pem_pkcs8()).map_err(|_| NoRandomness)?;
        let pem = Zeroizing::new(pem);
        let text = std::str::from_utf8(&pem).map_err(|_| NoRandomness)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The public half.
    pub fn public(&self) -> &OaepPublicKey {
        &self.public
    }

    /// Decrypts what was encrypted with the public half.
    ///
    /// # Errors
    /// [`OaepFailed`].
    pub fn decrypt(&self, mask: MaskHash, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, OaepFailed> {
        // RFC 8017 §7.1.2, step 1b. OpenSSL takes a shorter one for the same number without its leading zeros.
        if encrypted.len() != self.key.size() {
            return Err(OaepFailed);
        }
        let mut context = oaep(&self.key, PkeyCtxRef::decrypt_init, mask).map_err(|_| OaepFailed)?;
        let mut plain = Zeroizing::new(vec![0; self.key.size()]);
        let length = context.decrypt(encrypted, Some(&mut plain)).map_err(|_| OaepFailed)?;
        plain.truncate(length);
        Ok(plain)
    }
}

impl fmt::Debug for OaepPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OaepPrivateKey([redacted])")
    }
}

/// A public key, in the form in which it is compared and stored.
#[derive(Clone)]
pub struct OaepPublicKey {
    key: PKey<Public>,
    der: Vec<u8>,
}

impl OaepPublicKey {
    /// Reads a public key from PEM (`BEGIN PUBLIC KEY`). Windows' line ends and missing ones at the end are accepted.
    ///
    /// # Errors
    /// [`InvalidRsaKey`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidRsaKey> {
        let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(|_| InvalidRsaKey::Form)?;
        Self::of(key)
    }

    /// Reads what [`OaepPublicKey::as_der`] gives.
    ///
    /// # Errors
    /// [`InvalidRsaKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidRsaKey> {
        Self::of(PKey::public_key_from_der(der).map_err(|_| InvalidRsaKey::Form)?)
    }

    fn of(key: PKey<Public>) -> Result<Self, InvalidRsaKey> {
        check(&key)?;
        // Written anew, so that one key has one form whatever it was read from.
        let der = key.public_key_to_der().map_err(|_| InvalidRsaKey::Form)?;
        Ok(Self { key, der })
    }

    /// The key as SubjectPublicKeyInfo (RFC 5280 §4.1) in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        // What has a form in DER has one in PEM, and that is ASCII.
        String::from_utf8(self.key.public_key_to_pem().unwrap_or_default()).unwrap_or_default()
    }

    /// The fingerprint: SHA-256 of the DER, in base64url without padding.
    pub fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// Encrypts a short message.
    ///
    /// # Errors
    /// [`OaepFailed`] for one that is too long, or a key that only looks like one.
    pub fn encrypt(&self, mask: MaskHash, plain: &[u8]) -> Result<Vec<u8>, OaepFailed> {
        let mut context = oaep(&self.key, PkeyCtxRef::encrypt_init, mask).map_err(|_| OaepFailed)?;
        let mut encrypted = Vec::new();
        context.encrypt_to_vec(plain, &mut encrypted).map_err(|_| OaepFailed)?;
        Ok(encrypted)
    }
}

impl fmt::Debug for OaepPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OaepPublicKey({})", self.fingerprint())
    }
}

impl PartialEq for OaepPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for OaepPublicKey {}

fn check<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), InvalidRsaKey> {
    if key.id() != Id::RSA {
        return Err(InvalidRsaKey::Form);
    }
    if (LEAST_BITS..=MOST_BITS).contains(&key.bits()) { Ok(()) } else { Err(InvalidRsaKey::Size) }
}

/// Makes a context for OAEP; `init` says for which direction. The label is empty.
fn oaep<T: HasPublic>(
    key: &PKeyRef<T>,
    init: impl FnOnce(&mut PkeyCtxRef<T>) -> Result<(), ErrorStack>,
    mask: MaskHash,
) -> Result<PkeyCtx<T>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    init(&mut context)?;
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(Md::sha256())?;
    context.set_rsa_mgf1_md(match mask {
        MaskHash::Sha1 => Md::sha1(),
        MaskHash::Sha256 => Md::sha256(),
    })?;
    Ok(context)
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;

    use super::*;

    fn key() -> OaepPrivateKey {
        OaepPrivateKey::from_pem(&OaepPrivateKey::generate_pem().unwrap()).unwrap()
    }

    fn pem_of(bits: u32) -> String {
        String::from_utf8(Rsa::generate(bits).unwrap().public_key_to_pem().unwrap()).unwrap()
    }

    #[test]
    fn what_is_encrypted_opens_with_the_same_hash_and_key_alone() {
        let (key, other) = (key(), key());
        for (mask, wrong) in [(MaskHash::Sha1, MaskHash::Sha256), (MaskHash::Sha256, MaskHash::Sha1)] {
            let encrypted = key.public().encrypt(mask, b"a password").unwrap();

            assert_eq!(key.decrypt(mask, &encrypted).unwrap().as_slice(), b"a password");
            assert_eq!(key.decrypt(wrong, &encrypted).unwrap_err(), OaepFailed);
            assert_eq!(other.decrypt(mask, &encrypted).unwrap_err(), OaepFailed);
            assert_eq!(key.decrypt(mask, &encrypted[1..]).unwrap_err(), OaepFailed);
            assert_eq!(key.decrypt(mask, &[&[0][..], &encrypted].concat()).unwrap_err(), OaepFailed);
        }
        assert_eq!(key.decrypt(MaskHash::Sha1, &[]).unwrap_err(), OaepFailed);
    }

    #[test]
    fn a_leading_zero_may_not_be_left_out() {
        let key = key();
        // About one in 200 begins so.
        let mut many = (0..10_000).map(|_| key.public().encrypt(MaskHash::Sha1, b"a password").unwrap());
        let encrypted = many.find(|encrypted| encrypted[0] == 0).unwrap();

        assert_eq!(key.decrypt(MaskHash::Sha1, &encrypted).unwrap().as_slice(), b"a password");
        assert_eq!(key.decrypt(MaskHash::Sha1, &encrypted[1..]).unwrap_err(), OaepFailed);
    }

    #[test]
    fn a_message_longer_than_the_key_allows_is_refused() {
        let room = 2048 / 8 - 2 * 32 - 2;

        assert!(key().public().encrypt(MaskHash::Sha1, &vec![7; room]).is_ok());
        assert_eq!(key().public().encrypt(MaskHash::Sha1, &vec![7; room + 1]), Err(OaepFailed));
    }

    #[test]
    fn only_rsa_keys_of_a_sound_size_are_read() {
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let curve = EcKey::generate(&curve).unwrap().public_key_to_pem().unwrap();

        assert_eq!(OaepPublicKey::from_pem(&pem_of(1024)).unwrap_err(), InvalidRsaKey::Size);
        assert!(OaepPublicKey::from_pem(&pem_of(3072)).is_ok());
        assert_eq!(
            OaepPublicKey::from_pem(std::str::from_utf8(&curve).unwrap()).unwrap_err(),
            InvalidRsaKey::Form
        );
        for text in ["", "a key", &OaepPrivateKey::generate_pem().unwrap()] {
            assert_eq!(OaepPublicKey::from_pem(text).unwrap_err(), InvalidRsaKey::Form);
        }
    }

    #[test]
    fn a_key_is_the_same_however_it_is_written() {
        let key = key();
        let pem = key.public().to_pem();

        let again = OaepPublicKey::from_pem(&pem.replace('\n', "\r\n")).unwrap();

        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
        assert_eq!(&again, key.public());
        assert_eq!(&OaepPublicKey::from_der(again.as_der()).unwrap(), key.public());
        assert_eq!(again.fingerprint().len(), 43);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
