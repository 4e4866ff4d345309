//! Tests of parts.

use smpp::codec::{Sar, Tlv};

use super::*;

fn message(text: &[u8], class: u8) -> DeliverSm {
    DeliverSm {
        source: Address { ton: 1, npi: 1, value: "255123456789".into() },
        destination: Address { ton: 3, npi: 0, value: "15050".into() },
        esm_class: class,
        short_message: text.to_vec(),
        ..DeliverSm::default()
    }
}

fn read(message: &DeliverSm) -> Fragment {
    Fragment::read(&"main".into(), DefaultAlphabet::Gsm7, message)
}

fn key() -> InboundKey {
    InboundKey::derive(&"a secret".to_owned().into())
}

#[test]
fn a_place_is_found_in_headers_and_tlvs() {
    let mut sar = message(b"text", 0);
    sar.tlvs.set_sar(Sar { reference: 0x0102, total: 3, number: 2 });
    let eight = message(b"\x05\0\x03\x07\x03\x02text", 0x40);
    let sixteen = message(b"\x06\x08\x04\x01\x02\x03\x02text", 0x40);

    for (message, form, reference) in [(eight, 8, 7), (sixteen, 16, 0x0102), (sar, 0, 0x0102)] {
        let fragment = read(&message);
        assert_eq!(fragment.place, Some(Place { form, reference, total: 3, number: 2 }));
        assert_eq!(fragment.piece.octets, b"text");
    }
    assert_eq!(read(&message(b"\x05\0\x03\x07\x01\x01text", 0x40)).place, None, "one part is a whole");
    assert_eq!(read(&message(b"text", 0)).place, None);
}

#[test]
fn a_data_sm_has_its_text_in_a_tlv() {
    let mut carried = message(b"", 0x40);
    carried.tlvs.set(Tlv::MessagePayload(b"\x05\0\x03\x07\x02\x01text".to_vec()));

    let fragment = read(&carried);

    assert_eq!(fragment.piece.octets, b"text");
    assert_eq!(fragment.place.map(|place| (place.number, place.total)), Some((1, 2)));
}

#[test]
fn a_sender_is_a_full_number_where_the_smsc_says_so() {
    for (ton, value, from) in [
        (1, "255123456789", "+255123456789"),
        (0, "+255123456789", "+255123456789"),
        (2, "0712345678", "0712345678"),
        (5, "CLINIC", "CLINIC"),
        (1, "CLINIC", "CLINIC"),
    ] {
        let address = Address { ton, npi: 0, value: value.into() };
        assert_eq!(number(&address).as_str(), from, "{ton} {value}");
    }
}

#[test]
fn parts_of_one_message_share_its_name_and_differ_in_theirs() {
    let fragment = |number: u8| read(&message(&[5, 0, 3, 7, 3, number, b'x'], 0x40));
    let (one, two) = (fragment(1), fragment(2));
    let name = |fragment: &Fragment| key().message(fragment, fragment.place.unwrap());

    assert_eq!(name(&one), name(&two));
    assert_ne!(key().digest(&one), key().digest(&two));
    assert_eq!(key().digest(&one), key().digest(&fragment(1)));
    assert_ne!(name(&one), name(&read(&message(&[5, 0, 3, 8, 3, 1, b'x'], 0x40))));
    assert_ne!(name(&one), name(&Fragment { smsc: "other".into(), ..one.clone() }));
}

#[test]
fn a_part_at_rest_opens_in_its_own_place_alone() {
    let fragment = read(&message(b"\x05\0\x03\x07\x03\x02text", 0x40));
    let sealed = key().seal("name", 2, &fragment).unwrap();

    let (from, piece) = key().open("name", 2, &sealed).unwrap();

    assert_eq!((from, piece), (fragment.from, fragment.piece));
    assert!(key().open("name", 1, &sealed).is_err() && key().open("other", 2, &sealed).is_err());
    assert!(!sealed.windows(4).any(|window| window == b"text"));
}
