use std::sync::LazyLock;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;

use super::*;
use crate::crypto::sms_envelope::{OpeningKey, encode_payload, open_v1, seal_v1};

static KEY: LazyLock<OpeningKey> = LazyLock::new(|| fresh(2048));

fn fresh(bits: u32) -> OpeningKey {
    let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().unwrap()).unwrap()
}

/// Builds an envelope around an AES key of any length.
fn around(aes_key: &[u8], body: &[u8]) -> Vec<u8> {
    let public = KEY.sealing_key().unwrap();
    let mut wrapped = Vec::new();
    let mut context = oaep_context(public.rsa().unwrap(), PkeyCtxRef::encrypt_init).unwrap();
    context.encrypt_to_vec(aes_key, &mut wrapped).unwrap();
    [&[0x10, 0xd0, 0x81, 0x00], &wrapped[..], body].concat()
}

#[test]
fn symmetric_part_matches_the_published_vector() {
    let key: Vec<u8> = (0..32).collect();
    let message = b"To: +255123456789\nSender: TEST\n\nHello";
    let body = hex::decode(
        "2128eb368d9c9cfdf3d51c28e7300365d60de10bc0178f6a09ebe70ffdbb0a0303fa371b4dfe9b6a1c4b0a1efcdb8eba",
    )
    .unwrap();

    assert_eq!(seal_body(&key, message).unwrap().as_slice(), body);
    assert_eq!(open_body(&key, &body).unwrap().as_slice(), message);
}

#[test]
fn payload_begins_with_the_letters_of_the_magic() {
    let envelope = seal_v1(&KEY.sealing_key().unwrap(), b"x").unwrap();

    assert_eq!(envelope[..4], [0x10, 0xd0, 0x81, 0x00]);
    assert!(encode_payload(&envelope).starts_with("ENCBA"));
    assert_eq!(envelope.len(), 4 + 256 + 16);
    assert_eq!(open_v1(&KEY, &envelope).unwrap().as_slice(), b"x");
}

#[test]
fn only_an_aes_key_of_32_octets_counts() {
    for length in [0, 16, 24, 31, 33] {
        let envelope = around(&vec![7; length], &[0; 16]);
        assert_eq!(open_v1(&KEY, &envelope), Err(OpenError::WrongKey), "{length}");
    }
    let body = seal_body(&[7; 32], b"hello").unwrap();
    assert_eq!(open_v1(&KEY, &around(&[7; 32], &body)).unwrap().as_slice(), b"hello");
}

#[test]
fn short_foreign_and_damaged_envelopes_are_refused() {
    let envelope = seal_v1(&KEY.sealing_key().unwrap(), b"hello").unwrap();
    let mut opener = KEY.opener().unwrap();
    let mut open = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = envelope.clone();
        change(&mut changed);
        opener.open_v1(&changed).map(|message| message.to_vec())
    };

    assert_eq!(open(&|e| e.truncate(0)), Err(OpenError::TooShort));
    assert_eq!(open(&|e| e.truncate(3)), Err(OpenError::TooShort));
    assert_eq!(open(&|e| e.truncate(259)), Err(OpenError::TooShort));
    assert_eq!(open(&|e| e.truncate(260)), Ok(vec![]), "no body at all is an empty message");
    assert_eq!(open(&|e| e.truncate(275)), Err(OpenError::Damaged));
    assert_eq!(open(&|e| e.push(0)), Err(OpenError::Damaged));
    assert_eq!(open(&|e| e[0] ^= 1), Err(OpenError::NotAnEnvelope));
    assert_eq!(open(&|e| e[2] ^= 0x40), Err(OpenError::NotAnEnvelope));
    assert_eq!(
        open(&|e| e[3] = 1),
        Err(OpenError::WrongKey),
        "one octet more of wrapped key than the modulus has"
    );
    assert_eq!(open(&|e| e[100] ^= 1), Err(OpenError::WrongKey));
    assert_eq!(open(&|e| e[275] ^= 1), Err(OpenError::Damaged), "padding of another value");
    assert_eq!(open(&|_| {}).unwrap(), b"hello", "the opener survives every failure");
    assert_eq!(open_v1(&fresh(2048), &envelope), Err(OpenError::WrongKey));
}

#[test]
fn padding_of_impossible_length_is_refused() {
    for last in [0, 17, 255] {
        let mut padded = [9; 16];
        padded[15] = last;
        let body = cfb(Mode::Encrypt, &[7; 32], &padded).unwrap();
        assert_eq!(open_body(&[7; 32], &body), Err(OpenError::Damaged), "{last}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_is_opened(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let envelope = seal_v1(&KEY.sealing_key().unwrap(), &message).unwrap();

        prop_assert_eq!(open_v1(&KEY, &envelope).unwrap().to_vec(), message);
    }

    #[test]
    fn any_octets_are_opened_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..400), head: bool) {
        let octets = if head { [&[0x10, 0xd0, 0x81, 0x00], &octets[..]].concat() } else { octets };

        prop_assert!(open_v1(&KEY, &octets).is_err());
    }
}
