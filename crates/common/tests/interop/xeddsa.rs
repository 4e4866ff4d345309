//! Signatures made by libsignal-client, over messages of every kind that it signs.

use common::crypto::xeddsa::verify;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    #[serde(deserialize_with = "octets")]
    public_key: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    message: Vec<u8>,
    #[serde(deserialize_with = "octets")]
    signature: Vec<u8>,
    sign_bit: u8,
}

fn octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors/xeddsa.json")).unwrap()
}

fn flipped(octets: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = octets.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    changed
}

#[test]
fn real_signatures_of_both_signs_verify() {
    let vectors = vectors();

    for Vector { public_key: key, message, signature, sign_bit } in &vectors {
        assert_eq!(signature[63] >> 7, *sign_bit);
        assert_eq!(verify(key, message, signature), Ok(()));
    }
    for length in [33, 1569] {
        for sign in [0, 1] {
            assert!(
                vectors.iter().any(|vector| vector.message.len() == length && vector.sign_bit == sign),
                "no vector of {length} octets with sign {sign}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_signature_verifies() {
    for Vector { public_key: key, message, signature, .. } in &vectors() {
        for bit in 0..signature.len() * 8 {
            assert!(verify(key, message, &flipped(signature, bit)).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_key_verifies() {
    for Vector { public_key: key, message, signature, .. } in &vectors() {
        for bit in 0..key.len() * 8 {
            assert!(verify(&flipped(key, bit), message, signature).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_message_verifies() {
    for Vector { public_key: key, message, signature, .. } in &vectors() {
        // A long message's every bit would take minutes and tell nothing new.
        for bit in (0..message.len() * 8).step_by(1 + message.len() / 16) {
            assert!(verify(key, &flipped(message, bit), signature).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn other_lengths_are_refused() {
    let Vector { public_key: key, message, signature, .. } = &vectors()[0];

    assert!(verify(&key[1..], message, signature).is_err());
    assert!(verify(key, &message[1..], signature).is_err());
    assert!(verify(key, message, &signature[1..]).is_err());
    assert!(verify(key, message, &[signature, &[0][..]].concat()).is_err());
    assert!(verify(key, message, &[]).is_err());
}
