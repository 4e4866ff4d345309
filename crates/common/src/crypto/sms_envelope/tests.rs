use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::*;

const BINDING: Binding<'_> = Binding { client_id: "acme", correl_id: "C1", deadline: "2100-01-01T00:00:00Z" };

fn rsa() -> OpeningKey {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().unwrap()).unwrap()
}

fn x25519() -> OpeningKey {
    let key = PKey::generate_x25519().unwrap();
    OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().unwrap()).unwrap()
}

fn sealed(key: &OpeningKey) -> Vec<u8> {
    seal(&key.sealing_key().unwrap(), &BINDING, b"hello").unwrap()
}

#[test]
fn an_opener_takes_both_versions_with_any_of_its_keys() {
    let keys = [x25519(), rsa(), x25519(), rsa()];
    let mut opener = Opener::new(&keys).unwrap();

    for key in &keys {
        assert_eq!(opener.open(&sealed(key), &BINDING).unwrap().as_slice(), b"hello", "{key:?}");
    }
}

#[test]
fn the_key_that_fits_tells_what_is_wrong() {
    let keys = [rsa(), rsa(), x25519()];
    let mut opener = Opener::new(&keys).unwrap();
    let mut damaged = sealed(&keys[0]);
    damaged.push(0);

    assert_eq!(opener.open(&damaged, &BINDING), Err(OpenError::Damaged));
    assert_eq!(opener.open(&sealed(&rsa()), &BINDING), Err(OpenError::WrongKey));
    assert_eq!(opener.open(&sealed(&x25519()), &BINDING), Err(OpenError::NotAuthentic));
    assert_eq!(keys[0].opener().unwrap().open(&sealed(&keys[2]), &BINDING), Err(OpenError::NoKey));
    assert_eq!(keys[2].opener().unwrap().open(&sealed(&keys[0]), &BINDING), Err(OpenError::NoKey));
    assert_eq!(opener.open(b"hello", &BINDING), Err(OpenError::NotAnEnvelope));
    assert_eq!(opener.open(b"", &BINDING), Err(OpenError::TooShort));
}

#[test]
fn what_is_unwrapped_together_opens_as_each_alone() {
    let (first, second, third) = (rsa(), rsa(), x25519());
    let large = PKey::from_rsa(Rsa::generate(3072).unwrap()).unwrap();
    let large = OpeningKey::from_pkcs8(&large.private_key_to_pkcs8().unwrap()).unwrap();
    let all = [first.clone(), second.clone(), third.clone(), large.clone()];
    let mut openers = [&all[..], &all[1..], &all[2..]].map(|keys| Opener::new(keys).unwrap());
    let mut envelopes: Vec<_> = all.iter().map(sealed).collect();
    let at = |place: usize| {
        let mut envelope = sealed(&first);
        envelope[place] ^= 1;
        envelope
    };
    // In the magic, in the length, in the wrapped key at both ends, in the body.
    envelopes.extend([0, 3, 4, 259, 260].map(at));
    envelopes.extend([20, 259, 260, 261].map(|length| sealed(&first)[..length].to_vec()));
    let pairs =
        || (0..openers.len()).flat_map(|opener| envelopes.iter().map(move |envelope| (opener, envelope)));

    let unwrapped =
        unwrap_all(pairs().map(|(opener, envelope)| Some((&openers[opener], envelope.as_slice()))));

    // At least what was made for the first keys; for another key, it may be a number beyond the modulus.
    let done = unwrapped.iter().filter(|unwrapped| unwrapped.0.is_some()).count();
    assert!(if unwrapped_together() == 1 { done == 0 } else { done >= 5 }, "{done}");
    let pairs: Vec<_> = pairs().collect();
    let mut opened = 0;
    for ((opener, envelope), unwrapped) in pairs.into_iter().zip(&unwrapped) {
        let alone = openers[opener].open(envelope, &BINDING);
        assert_eq!(openers[opener].open_unwrapped(envelope, &BINDING, unwrapped), alone);
        opened += usize::from(alone.is_ok());
    }
    assert!(opened >= 4 + 3 + 2, "{opened}");
}

#[test]
fn what_is_passed_over_is_not_unwrapped() {
    let key = rsa();
    let (opener, envelope) = (key.opener().unwrap(), sealed(&key));
    let some = Some((&opener, envelope.as_slice()));

    let unwrapped = unwrap_all([None, some, some, None, some, None]);

    let done = unwrapped.iter().map(|unwrapped| unwrapped.0.is_some()).collect::<Vec<_>>();
    let can = unwrapped_together() > 1;
    assert_eq!(done, [false, can, can, false, can, false]);
}

#[test]
fn the_kind_of_the_key_decides_the_version() {
    for (key, version, beginning) in [(rsa(), Version::V1, "ENCBA"), (x25519(), Version::V2, "EN2A")] {
        let envelope = sealed(&key);

        assert_eq!((Version::of(&envelope), key.kind().version()), (Ok(version), version));
        assert!(encode_payload(&envelope).starts_with(beginning));
    }
}

#[test]
fn a_key_of_the_other_kind_seals_nothing() {
    let (rsa, x25519) = (rsa().sealing_key().unwrap(), x25519().sealing_key().unwrap());

    assert_eq!(seal_v1(&x25519, b"x"), Err(SealError::OtherKind));
    assert_eq!(seal_v2(&rsa, &BINDING, b"x"), Err(SealError::OtherKind));
}

#[test]
fn an_envelope_keeps_its_name_and_no_two_have_the_same() {
    for key in [rsa(), x25519()] {
        let (one, other) = (sealed(&key), sealed(&key));
        let mut altered = one.clone();
        *altered.last_mut().unwrap() ^= 1;

        assert_eq!(seal_id(&one), seal_id(&altered), "{key:?}");
        assert_ne!(seal_id(&one), seal_id(&other), "{key:?}");
        assert_eq!(seal_id(&one[..20]), Err(OpenError::TooShort), "{key:?}");
    }
    assert_eq!(seal_id(b"hello"), Err(OpenError::NotAnEnvelope));
}

#[test]
fn payload_text_is_strict_but_for_padding() {
    assert_eq!(decode_payload("aGk=").unwrap(), b"hi");
    assert_eq!(decode_payload("aGk").unwrap(), b"hi");
    assert_eq!(decode_payload("aGl").unwrap(), b"hi", "bits left over do not matter");
    for text in ["aG\nk=", "aGk=\n", " aGk=", "a-_k", "aGk=aGk=", "a"] {
        assert_eq!(decode_payload(text), Err(OpenError::NotBase64), "{text:?}");
    }
}

#[test]
fn keys_of_another_kind_are_refused() {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let ec = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();

    for key in [ec, PKey::generate_ed25519().unwrap(), PKey::generate_x448().unwrap()] {
        let opening = OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().unwrap());
        assert_eq!(opening.map(|_| ()), Err(SealError::UnusableKey));
        let sealing = SealingKey::from_der(&key.public_key_to_der().unwrap());
        assert_eq!(sealing.map(|_| ()), Err(SealError::UnusableKey));
    }
    assert!(SealingKey::parse("").is_err() && SealingKey::parse("AAAA").is_err());
}

#[test]
fn a_public_key_that_protects_nothing_is_refused() {
    let line = |coordinate: [u8; 32]| {
        let key = PKey::public_key_from_raw_bytes(&coordinate, openssl::pkey::Id::X25519).unwrap();
        STANDARD.encode(key.public_key_to_der().unwrap())
    };

    for refused in [[0; 32], [0xff; 32]] {
        assert_eq!(SealingKey::parse(&line(refused)).map(|_| ()), Err(SealError::UnusableKey));
    }
    assert!(SealingKey::parse(&line([9; 32])).is_ok());
}

#[test]
fn debug_shows_no_key() {
    let (rsa, x25519) = (rsa(), x25519());

    assert_eq!(format!("{rsa:?} {x25519:?}"), "OpeningKey(rsa, 2048 bits) OpeningKey(x25519, 255 bits)");
    assert_eq!(format!("{:?}", x25519.sealing_key().unwrap()), "SealingKey(x25519, 255 bits)");
    assert_eq!(format!("{:?}", Opener::new(&[rsa, x25519]).unwrap()), "Opener(1 RSA keys, 1 X25519 keys)");
}
