//! Against the published vectors, which another implementation made.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::crypto::sms_envelope::{OpeningKey, decode_payload, encode_payload};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    info: String,
    header: String,
    recipient: Recipient,
    sealed: Vec<Sealed>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    private_key: String,
    public_key: String,
    pkcs8: String,
    spki: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    client_id: String,
    correl_id: String,
    deadline: String,
    payload: String,
}

impl Request {
    fn binding(&self) -> Binding<'_> {
        let Self { client_id, correl_id, deadline, .. } = self;
        Binding { client_id, correl_id, deadline }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    name: String,
    #[serde(flatten)]
    request: Request,
    message: String,
    ikm_e: String,
    aad: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    #[serde(flatten)]
    request: Request,
    error: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../../../proto/sms/envelope-v2.json")).unwrap()
}

impl Vectors {
    fn key(&self) -> OpeningKey {
        OpeningKey::from_pkcs8(&decode_payload(&self.recipient.pkcs8).unwrap()).unwrap()
    }
}

/// "Randomness" that a vector fixes.
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the library takes octets")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the library takes octets")
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.copy_from_slice(&std::mem::take(&mut self.0));
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

#[test]
fn the_vectors_are_sealed_octet_for_octet() {
    let vectors = vectors();
    let key = vectors.key().sealing_key().unwrap();

    assert_eq!((vectors.info.as_bytes(), vectors.header), (INFO, hex::encode(HEADER)));
    assert_eq!(key.to_line().unwrap(), vectors.recipient.spki);
    for vector in vectors.sealed {
        let aad = vector.request.binding().to_octets();
        assert_eq!(hex::encode(&aad), vector.aad, "{}", vector.name);
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &key.x25519().unwrap(),
                INFO,
                vector.message.as_bytes(),
                &aad,
                &mut Fixed(hex::decode(vector.ikm_e).unwrap()),
            )
            .unwrap();
        let envelope = assemble(&encapsulated, &ciphertext);
        assert_eq!(encode_payload(&envelope), vector.request.payload, "{}", vector.name);
    }
}

#[test]
fn the_worked_example_of_the_contract_is_the_first_vector() {
    let contract = include_str!("../../../../../../proto/sms-envelope-v2.md");
    let vectors = vectors();
    let first = &vectors.sealed[0];

    let message = first.message.replace('\n', "\\n");
    for text in [&vectors.info, &vectors.recipient.spki, &first.aad, &message, &first.request.payload] {
        assert!(contract.contains(&format!("`{text}`")), "{text}");
    }
}

#[test]
fn the_vectors_open() {
    let vectors = vectors();
    let mut opener = vectors.key().opener().unwrap();

    for vector in vectors.sealed {
        let envelope = decode_payload(&vector.request.payload).unwrap();
        let message = opener.open(&envelope, &vector.request.binding()).unwrap();
        assert_eq!(message.as_slice(), vector.message.as_bytes(), "{}", vector.name);
    }
}

#[test]
fn what_was_altered_does_not_open() {
    let vectors = vectors();
    let mut opener = vectors.key().opener().unwrap();

    for vector in vectors.refused {
        let error = match vector.error.as_str() {
            "not-authentic" => OpenError::NotAuthentic,
            "too-short" => OpenError::TooShort,
            "not-an-envelope" => OpenError::NotAnEnvelope,
            other => panic!("{other}"),
        };
        let envelope = decode_payload(&vector.request.payload).unwrap();
        assert_eq!(opener.open(&envelope, &vector.request.binding()), Err(error), "{}", vector.name);
    }
}

#[test]
fn the_parts_of_the_recipients_key_belong_together() {
    let recipient = vectors().recipient;
    let private = KeyOpener::new(&hex::decode(&recipient.private_key).unwrap()).unwrap().0;

    let public = X25519HkdfSha256::sk_to_pk(&private);

    // Clamped (RFC 7748 §5): three low bits off, the highest off, the next on.
    assert_eq!(hex::encode(private.to_bytes()), recipient.private_key.replace("bebf", "be7f"));
    assert_eq!(hex::encode(public.to_bytes()), recipient.public_key);
}

fn binding<'a>(texts: &'a (String, String, String)) -> Binding<'a> {
    Binding { client_id: &texts.0, correl_id: &texts.1, deadline: &texts.2 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_opens_for_its_request_alone(
        message in proptest::collection::vec(any::<u8>(), 0..200),
        ours: (String, String, String),
        other: (String, String, String),
    ) {
        let vectors = vectors();
        let key = vectors.key().sealing_key().unwrap().x25519().unwrap();
        let mut opener = vectors.key().opener().unwrap();

        let envelope = seal(&key, &binding(&ours), &message).unwrap();

        prop_assert_eq!(opener.open(&envelope, &binding(&ours)).unwrap().to_vec(), message);
        prop_assert_eq!(opener.open(&envelope, &binding(&other)).is_ok(), ours == other);
    }

    #[test]
    fn no_two_bindings_have_the_same_octets(one: (String, String, String), other: (String, String, String)) {
        prop_assert_eq!(binding(&one).to_octets() == binding(&other).to_octets(), one == other);
    }

    #[test]
    fn one_changed_bit_anywhere_is_refused(at: proptest::sample::Index, bit in 0..8) {
        let vectors = vectors();
        let request = &vectors.sealed[0].request;
        let mut envelope = decode_payload(&request.payload).unwrap();
        let at = at.index(envelope.len());
        envelope[at] ^= 1_u8 << bit;

        prop_assert!(vectors.key().opener().unwrap().open(&envelope, &request.binding()).is_err());
    }
}
