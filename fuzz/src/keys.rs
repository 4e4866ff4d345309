//! Public keys and signatures as clients upload them: 33 octets of the signer's key, 64 of the signature, then the message,
//! which is a serialized key for a signed prekey.

use common::crypto::keys::{EC_LEN, EC_PREFIX, KYBER_LEN, KYBER_PREFIX, check_ec, check_kyber};
use common::crypto::xeddsa::{SIGNATURE_LEN, verify};
use common::models::{Base64Bytes, DeviceId, KeyId, RegistrationId};

/// Checks octets as a key with its signature, and as the text of bytes and ids.
pub fn check(octets: &[u8]) {
    text(octets);
    let Some((signer, rest)) = octets.split_at_checked(EC_LEN) else { return };
    let Some((signature, message)) = rest.split_at_checked(SIGNATURE_LEN) else { return };
    if check_ec(signer).is_ok() {
        assert_eq!((signer.len(), signer[0]), (EC_LEN, EC_PREFIX));
        let other_spelling = with_top_bit_flipped(signer);
        assert!(check_ec(&other_spelling).is_err(), "a coordinate has one spelling");
        assert!(check_ec(&[signer, &[0]].concat()).is_err() && check_kyber(signer).is_err());
    }
    if check_kyber(message).is_ok() {
        assert_eq!((message.len(), message[0]), (KYBER_LEN, KYBER_PREFIX));
    }
    if verify(signer, message, signature).is_ok() {
        assert!(check_ec(signer).is_ok());
        assert!(verify(signer, message, &with_top_bit_flipped(signature)).is_err(), "the sign is the key's");
        assert!(verify(signer, &[message, &[0]].concat(), signature).is_err());
        assert!(verify(signer, message, &[signature, &[0]].concat()).is_err());
    }
}

/// Whatever text is understood says the same when it is written again.
fn text(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(bytes) = text.parse::<Base64Bytes>() {
        assert_eq!(bytes.to_string().parse().as_ref(), Ok(&bytes));
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<DeviceId>() {
        assert!((1..=127).contains(&id.as_i32()));
    }
    if let Ok(id) = text.parse::<RegistrationId>() {
        assert!((1..=16_383).contains(&id.as_i32()));
    }
}

fn with_top_bit_flipped(octets: &[u8]) -> Vec<u8> {
    let mut changed = octets.to_vec();
    if let Some(last) = changed.last_mut() {
        *last ^= 0x80;
    }
    changed
}
