//! The certificate that a Java keystore wants beside each private key; nobody verifies it.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::x509::{X509, X509Name};

/// 100 years, as the known tools give them.
const DAYS: u32 = 36_500;
/// X.520's upper bound of a common name.
const NAME_CHARS: usize = 64;

/// What signs a certificate whose own key cannot sign.
const ISSUER: &str = "Sealpost one-time issuer";

/// Makes a certificate `CN=<client>` for a PKCS#8 key; gives its DER. An RSA key signs its own. An X25519 key cannot
/// sign: a key that is forgotten at once does it, under another name.
pub(super) fn make(client: &str, pkcs8: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::private_key_from_pkcs8(pkcs8)?;
    let subject = name(client)?;
    if key.id() == Id::X25519 {
        let issuer = PKey::generate_ed25519()?;
        // Ed25519 hashes by itself (RFC 8410).
        return signed(&key, (&subject, &name(ISSUER)?), (&issuer, MessageDigest::null()));
    }
    signed(&key, (&subject, &subject), (&key, MessageDigest::sha256()))
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let common_name: String = common_name.chars().take(NAME_CHARS).collect();
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, &common_name)?;
    Ok(name.build())
}

fn signed(
    key: &PKey<Private>,
    (subject, issuer): (&X509Name, &X509Name),
    (signer, hash): (&PKey<Private>, MessageDigest),
) -> Result<Vec<u8>, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;

    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    certificate.set_subject_name(subject)?;
    certificate.set_issuer_name(issuer)?;
    certificate.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    certificate.set_not_after(Asn1Time::days_from_now(DAYS)?.as_ref())?;
    certificate.set_pubkey(key)?;
    certificate.sign(signer, hash)?;
    certificate.build().to_der()
}
