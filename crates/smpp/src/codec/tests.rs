//! Round trips of everything, and the odd PDUs that real SMSCs send.

mod arbitrary;
mod parameters;
mod tolerance;

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

/// Encodes, cuts and decodes.
fn through_the_wire(pdu: &Pdu) -> Pdu {
    let mut octets = Vec::new();
    pdu.encode(&mut octets).unwrap();
    let mut buffer = BytesMut::from(octets.as_slice());
    let frame = split_frame(&mut buffer, DEFAULT_MAX_FRAME).unwrap().unwrap();
    assert!(buffer.is_empty());
    Pdu::decode(&frame).unwrap()
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(pdu in arbitrary::pdu()) {
        prop_assert_eq!(through_the_wire(&pdu), pdu);
    }

    #[test]
    fn decoder_survives_any_octets(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut buffer = BytesMut::from(octets.as_slice());
        while let Ok(Some(frame)) = split_frame(&mut buffer, DEFAULT_MAX_FRAME) {
            let _ = Pdu::decode(&frame);
        }
    }

    #[test]
    fn decoder_survives_damaged_pdus(pdu in arbitrary::pdu(), cut in 0usize..400, at in 0usize..400, octet: u8) {
        let mut octets = Vec::new();
        pdu.encode(&mut octets).unwrap();
        octets.truncate(octets.len().saturating_sub(cut).max(HEADER_LENGTH));
        let at = 4 + at % (octets.len() - 4);
        octets[at] = octet;
        let length = u32::try_from(octets.len()).unwrap();
        octets[..4].copy_from_slice(&length.to_be_bytes());

        let frame = split_frame(&mut BytesMut::from(octets.as_slice()), DEFAULT_MAX_FRAME).unwrap().unwrap();
        if let Err(bad) = Pdu::decode(&frame) {
            prop_assert_eq!(bad.header.length, length);
        }
    }

    #[test]
    fn frames_do_not_depend_on_how_octets_arrive(
        pdus in prop::collection::vec(arbitrary::pdu(), 1..5),
        step in 1usize..40,
    ) {
        let mut octets = Vec::new();
        for pdu in &pdus {
            pdu.encode(&mut octets).unwrap();
        }

        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for chunk in octets.chunks(step) {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = split_frame(&mut buffer, DEFAULT_MAX_FRAME).unwrap() {
                seen.push(Pdu::decode(&frame).unwrap());
            }
        }

        prop_assert_eq!(seen, pdus);
    }
}

#[test]
fn lengths_that_cannot_be_are_framing_errors() {
    let mut short = BytesMut::from(&[0, 0, 0, 15, 0, 0][..]);
    let mut long = BytesMut::from(&[0, 1, 0, 0][..]);

    assert_eq!(split_frame(&mut short, 100), Err(FrameError::TooShort(15)));
    assert_eq!(split_frame(&mut long, 100), Err(FrameError::TooLong { length: 0x10000, limit: 100 }));
}

#[test]
fn too_long_fields_are_refused_and_leave_the_buffer_alone() {
    let mut out = vec![7];
    let long_text = SubmitSm { short_message: vec![0; 255], ..SubmitSm::default() };
    let long_source =
        SubmitSm { source: Address { ton: 5, npi: 0, value: "x".repeat(21) }, ..SubmitSm::default() };
    let odd_source =
        SubmitSm { source: Address { ton: 5, npi: 0, value: "Ω".into() }, ..SubmitSm::default() };

    let refusals = [long_text, long_source, odd_source]
        .map(|message| Pdu::ok(1, Body::SubmitSm(message)).encode(&mut out).unwrap_err());

    assert_eq!(
        refusals,
        [
            EncodeError::TooLong { field: "short_message", limit: 254 },
            EncodeError::TooLong { field: "source_addr", limit: 21 },
            EncodeError::Character("source_addr"),
        ]
    );
    assert_eq!(out, [7]);
}

#[test]
fn debug_output_hides_text_numbers_and_passwords() {
    let bind = Bind { system_id: "acme".into(), password: "sesame".into(), ..Bind::default() };
    let message = SubmitSm {
        destination: Address { ton: 1, npi: 1, value: "255700000001".into() },
        short_message: b"positive".to_vec(),
        tlvs: Tlvs(vec![Tlv::MessagePayload(b"positive".to_vec())]),
        ..SubmitSm::default()
    };

    let shown = format!("{bind:?} {message:?}");

    assert!(!shown.contains("sesame") && !shown.contains("255700000001"), "{shown}");
    assert!(!shown.contains("112, 111, 115"), "{shown}");
}
