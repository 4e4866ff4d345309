//! Encrypted messages of both versions: nothing but what was sealed opens.

use std::sync::LazyLock;

use common::crypto::sms_envelope::{
    Binding, OpenError, Opener, OpeningKey, SealingKey, Version, decode_payload, encode_payload, seal,
    seal_id,
};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

const BINDING: Binding<'_> = Binding { client_id: "acme", correl_id: "C1", deadline: "2100-01-01T00:00:00Z" };
const MESSAGE: &[u8] = b"To: +255123456789\nSender: TEST\n\nHello";

/// A key of each kind with an envelope for it.
struct World {
    keys: [OpeningKey; 2],
    sealed: [Vec<u8>; 2],
    other: SealingKey,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let rsa = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let x25519 = [(); 2].map(|()| PKey::generate_x25519().expect("a key"));
    let [rsa, x25519, other] = [rsa, x25519[0].clone(), x25519[1].clone()]
        .map(|key| OpeningKey::from_pkcs8(&key.private_key_to_pkcs8().expect("its form")).expect("our kind"));
    let sealed = [&rsa, &x25519]
        .map(|key| seal(&key.sealing_key().expect("its half"), &BINDING, MESSAGE).expect("an envelope"));
    World { keys: [rsa, x25519], sealed, other: other.sealing_key().expect("its half") }
});

/// Checks octets as base64, as an envelope, and as changes to envelopes that are right: an octet that chooses, then
/// the changes.
pub fn check(octets: &[u8]) {
    let World { keys, sealed: [v1, v2], other } = &*WORLD;
    let mut opener = Opener::new(keys).expect("an opener");
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(envelope) = decode_payload(text)
    {
        assert_eq!(decode_payload(&encode_payload(&envelope)).as_ref(), Ok(&envelope));
        stranger(&mut opener, &envelope);
    }
    stranger(&mut opener, octets);
    let [choice, changes @ ..] = octets else { return };

    // Version 1 does not protect its body: any may stand behind a key that is right.
    let header_and_key = &v1[..4 + 256];
    match opener.open_v1(&[header_and_key, changes].concat()) {
        Ok(message) => assert!(changes.is_empty() || message.len() < changes.len()),
        Err(error) => assert_eq!(error, OpenError::Damaged),
    }

    // Version 2 does: one octet changed, cut off or added, and it is refused.
    let mut changed = v2.clone();
    for (at, octet) in changes.iter().enumerate() {
        let at = (at * 7 + usize::from(*choice)) % changed.len();
        changed[at] ^= octet;
    }
    match choice % 4 {
        0 => changed.truncate(changed.len() - usize::from(choice / 4).min(changed.len())),
        1 => changed.extend_from_slice(changes),
        _ => {}
    }
    let opened = opener.open(&changed, &BINDING);
    assert_eq!(opened.is_ok(), changed == *v2);

    let text = String::from_utf8_lossy(changes);
    let bound = Binding { correl_id: &text, ..BINDING };
    assert_eq!(opener.open(v2, &bound).is_ok(), text == BINDING.correl_id);
    let own = seal(other, &bound, changes).expect("an envelope");
    assert_eq!(opener.open(&own, &bound), Err(OpenError::NotAuthentic));
}

/// Nobody guesses an envelope.
fn stranger(opener: &mut Opener, envelope: &[u8]) {
    assert!(opener.open(envelope, &BINDING).is_err());
    assert!(seal_id(envelope).is_err() || Version::of(envelope).is_ok());
}
