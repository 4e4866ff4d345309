//! Optional parameters that an ESME sends, octet by octet (SMPP 3.4 §5.3.2).

use super::through_the_wire;
use crate::codec::*;

/// The octets of a submit_sm behind its mandatory parameters.
fn tail(message: &SubmitSm) -> Vec<u8> {
    let encode = |message: &SubmitSm| {
        let mut octets = Vec::new();
        Pdu::ok(1, Body::SubmitSm(message.clone())).encode(&mut octets).unwrap();
        octets
    };
    let bare = encode(&SubmitSm { tlvs: Tlvs::default(), ..message.clone() });
    encode(message)[bare.len()..].to_vec()
}

#[test]
fn sar_parameters_are_three() {
    let mut message = SubmitSm::default();

    message.tlvs.set_sar(Sar { reference: 0x1234, total: 3, number: 2 });

    assert_eq!(tail(&message), b"\x02\x0C\0\x02\x12\x34\x02\x0E\0\x01\x03\x02\x0F\0\x01\x02");
}

#[test]
fn message_payload_takes_the_place_of_short_message() {
    let mut message = SubmitSm { short_message: b"old".to_vec(), ..SubmitSm::default() };

    message.set_payload(b"hello".to_vec());

    assert_eq!(tail(&message), b"\x04\x24\0\x05hello");
    assert_eq!((message.short_message.len(), message.text()), (0, b"hello".as_slice()));
}

#[test]
fn message_payload_may_be_as_long_as_its_length_can_say() {
    let mut message = SubmitSm::default();
    message.set_payload(vec![b'x'; 65_535]);
    assert_eq!(
        through_the_wire(&Pdu::ok(1, Body::SubmitSm(message.clone()))).body,
        Body::SubmitSm(message.clone())
    );

    message.set_payload(vec![b'x'; 65_536]);

    let refused = Pdu::ok(1, Body::SubmitSm(message)).encode(&mut Vec::new());
    assert!(matches!(refused, Err(EncodeError::TooLong { field: "optional parameter", .. })));
}

#[test]
fn a_parameter_that_is_set_again_is_replaced() {
    let mut message = SubmitSm::default();

    message.tlvs.set_user_message_reference(1);
    message.tlvs.set_user_message_reference(0x0102);

    assert_eq!(tail(&message), b"\x02\x04\0\x02\x01\x02");
    assert_eq!(message.tlvs.user_message_reference(), Some(0x0102));
}

#[test]
fn a_message_and_its_data_sm_say_the_same() {
    let mut message = SubmitSm {
        source: Address { ton: 5, npi: 0, value: "ACME".into() },
        destination: Address { ton: 1, npi: 1, value: "255700000001".into() },
        esm_class: esm_class::RECEIPT,
        data_coding: 8,
        short_message: b"hello".to_vec(),
        ..SubmitSm::default()
    };
    message.tlvs.set(Tlv::ReceiptedMessageId("7".into()));

    let data = DataSm::from(message.clone());
    let back = ShortMessage::from(data.clone());

    assert_eq!(data.tlvs.message_payload(), Some(b"hello".as_slice()));
    assert_eq!((back.text(), back.tlvs.receipted_message_id()), (message.text(), Some("7")));
    assert_eq!(
        (back.source, back.destination, back.esm_class),
        (message.source, message.destination, message.esm_class)
    );
}

#[test]
fn states_keep_numbers_that_nobody_defined() {
    for value in 0..=u8::MAX {
        assert_eq!(MessageState::from(value).as_u8(), value);
    }
    assert_eq!(MessageState::from_word("UNDELIV"), Some(MessageState::Undeliverable));
    assert!(!MessageState::Unknown.is_final() && !MessageState::Other(9).is_final());
}

#[test]
fn statuses_are_found_by_name() {
    assert_eq!(CommandStatus::from_name("ESME_RALYBND"), Some(CommandStatus::RALYBND));
    assert_eq!(CommandStatus::from_name("RALYBND"), Some(CommandStatus::RALYBND));
    assert_eq!(CommandStatus::from_name("NONSENSE"), None);
}
