//! What real SMSCs send although SMPP 3.4 forbids it.

use bytes::Bytes;

use crate::codec::*;

fn decode(command: CommandId, status: u32, body: &[u8]) -> Result<Pdu, BadPdu> {
    raw(command.as_u32(), status, body)
}

fn raw(command_id: u32, status: u32, body: &[u8]) -> Result<Pdu, BadPdu> {
    let header = Header {
        length: u32::try_from(HEADER_LENGTH + body.len()).unwrap(),
        command_id,
        status: CommandStatus(status),
        sequence: 9,
    };
    Pdu::decode(&Frame { header, body: Bytes::copy_from_slice(body) })
}

fn message_id(pdu: Pdu) -> String {
    match pdu.body {
        Body::SubmitSmResp(resp) => resp.message_id,
        other => panic!("{other:?}"),
    }
}

/// A deliver_sm up to and with sm_length 0, its source of the given text.
fn deliver(source: &str, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 1, 1];
    body.extend(source.as_bytes());
    body.extend([0, 1, 1, b'7', 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend(rest);
    body
}

fn delivered(body: &[u8]) -> DeliverSm {
    match decode(CommandId::DeliverSm, 0, body).unwrap().body {
        Body::DeliverSm(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn message_id_may_lack_its_nul_or_be_odd() {
    let cases: [(&[u8], &str); 5] =
        [(b"abc\0", "abc"), (b"abc", "abc"), (b"", ""), (b"a\xE9\0", "a\u{E9}"), (b"abc\0trailing", "abc")];

    for (body, id) in cases {
        assert_eq!(message_id(decode(CommandId::SubmitSmResp, 0, body).unwrap()), id, "{body:?}");
    }
    let long = "9".repeat(90);
    assert_eq!(message_id(decode(CommandId::SubmitSmResp, 0, long.as_bytes()).unwrap()), long);
}

#[test]
fn error_responses_may_be_a_header_alone() {
    use CommandId::*;

    for command in [
        BindTransceiverResp,
        BindReceiverResp,
        BindTransmitterResp,
        SubmitSmResp,
        QuerySmResp,
        DataSmResp,
        DeliverSmResp,
    ] {
        let pdu = decode(command, 0x58, b"").unwrap();
        assert_eq!((pdu.status, pdu.body.command_id()), (CommandStatus::RTHROTTLED, command));
    }
}

#[test]
fn receipted_message_id_may_lack_its_nul() {
    let with = delivered(&deliver("123", b"\x00\x1E\x00\x03ab\0\x04\x27\x00\x01\x02"));
    let without = delivered(&deliver("123", b"\x00\x1E\x00\x02ab\x04\x27\x00\x01\x02"));

    assert_eq!(with.tlvs.receipted_message_id(), Some("ab"));
    assert_eq!(with.tlvs, without.tlvs);
    assert!(with.is_receipt());
}

#[test]
fn message_state_may_be_wider_than_one_octet() {
    let wide = delivered(&deliver("123", b"\x04\x27\x00\x02\x00\x02"));
    let impossible = delivered(&deliver("123", b"\x04\x27\x00\x02\x01\x02"));

    assert_eq!(wide.tlvs.message_state(), Some(MessageState::Delivered.as_u8()));
    assert_eq!(impossible.tlvs.0, [Tlv::Other { tag: tag::MESSAGE_STATE, value: vec![1, 2] }]);
}

#[test]
fn addresses_may_be_over_their_length() {
    assert_eq!(delivered(&deliver(&"4".repeat(24), b"")).source.value, "4".repeat(24));
}

#[test]
fn octets_after_the_parameters_are_ignored() {
    assert_eq!(delivered(&deliver("1", b"\0")).tlvs, Tlvs::default());
    assert_eq!(delivered(&deliver("1", b"\0\0\0")).tlvs, Tlvs::default());
    assert!(decode(CommandId::EnquireLink, 0, b"\0\0").is_ok());
}

#[test]
fn tlv_cut_short_keeps_what_is_there() {
    assert_eq!(delivered(&deliver("1", b"\x00\x1E\x00\x09abc")).tlvs.receipted_message_id(), Some("abc"));
}

#[test]
fn text_of_a_message_is_its_payload_when_short_message_is_empty() {
    assert_eq!(delivered(&deliver("1", b"\x04\x24\x00\x02hi")).text(), b"hi");
}

#[test]
fn query_answers_may_end_anywhere() {
    use MessageState::*;
    let cases: [(&[u8], &str, MessageState, u8); 7] = [
        (b"7\x002611211037120\0\x02\x00", "2611211037120", Delivered, 0),
        (b"7\0\0\x01\x00", "", Enroute, 0),
        (b"7\0\0\x05", "", Undeliverable, 0),
        (b"7\0\0\x00\x09", "", Other(0), 9),
        (b"7\0\0", "", Unknown, 0),
        (b"7", "", Unknown, 0),
        (b"", "", Unknown, 0),
    ];

    for (body, date, state, error) in cases {
        let Body::QuerySmResp(resp) = decode(CommandId::QuerySmResp, 0, body).unwrap().body else { panic!() };
        assert_eq!(
            (resp.final_date.as_str(), resp.message_state, resp.error_code),
            (date, state, error),
            "{body:?}"
        );
    }
}

#[test]
fn sar_needs_all_three_parameters_to_make_sense() {
    let sar = |reference, total, number| {
        let mut tlvs = Tlvs::default();
        tlvs.set_sar(Sar { reference, total, number });
        tlvs
    };
    let without_total = Tlvs(vec![Tlv::SarMsgRefNum(7), Tlv::SarSegmentSeqnum(1)]);

    assert_eq!(sar(7, 3, 3).sar(), Some(Sar { reference: 7, total: 3, number: 3 }));
    for senseless in [sar(7, 3, 0), sar(7, 3, 4), sar(7, 0, 0), without_total, Tlvs::default()] {
        assert_eq!(senseless.sar(), None, "{senseless:?}");
    }
}

#[test]
fn what_stays_unreadable_is_answered_with_a_nack() {
    let unknown = raw(0x0000_0777, 0, b"").unwrap_err();
    let cut = decode(CommandId::SubmitSm, 0, b"\0\x01").unwrap_err();
    let response = raw(0x8000_0777, 0, b"").unwrap_err();

    assert_eq!(
        unknown.nack(),
        Some(Pdu { status: CommandStatus::RINVCMDID, sequence: 9, body: Body::GenericNack })
    );
    assert_eq!(
        cut.nack(),
        Some(Pdu { status: CommandStatus::RINVCMDLEN, sequence: 9, body: Body::GenericNack })
    );
    assert_eq!(response.nack(), None);
}

#[test]
fn a_handset_cannot_write_a_receipt() {
    let text = ShortMessage {
        short_message: b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000".to_vec(),
        ..ShortMessage::default()
    };

    assert!(!text.is_receipt());
    assert!(ShortMessage { esm_class: esm_class::RECEIPT, ..text.clone() }.is_receipt());
    assert!(ShortMessage { esm_class: esm_class::RECEIPT | esm_class::UDHI, ..text }.is_receipt());
}

#[test]
fn statuses_have_names() {
    assert_eq!(CommandStatus(0x58).to_string(), "ESME_RTHROTTLED (0x00000058)");
    assert_eq!(CommandStatus(0x0401).to_string(), "0x00000401");
}
