//! The corpus of receipts, `receipts.toml`: each shape gives what it says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde::Deserialize;
use sms::decode_text;
use sms::message_id::{IdBase, matches};
use sms::receipt::{Receipt, ReceiptDate, ReceiptState, ReceiptTlvs};

#[derive(Deserialize)]
struct Corpus {
    receipt: Vec<Shape>,
    message: Vec<Message>,
    ids: Vec<Ids>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    from: String,
    text: String,
    coding: Option<u8>,
    tlv_id: Option<String>,
    tlv_state: Option<u8>,
    tlv_error: Option<u16>,
    id: String,
    state: String,
    err: Option<String>,
    done: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    from: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    from: String,
    response: String,
    receipt: String,
    base: String,
    same: bool,
}

fn corpus() -> Corpus {
    toml::from_str(include_str!("receipts.toml")).unwrap()
}

/// The text's octets as the gateway gives them to the parser.
fn octets(text: &str, coding: Option<u8>) -> Vec<u8> {
    match coding {
        Some(coding) => {
            let sent: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            decode_text(coding, &sent).unwrap().into_bytes()
        }
        None => text.chars().map(|character| u8::try_from(character).unwrap()).collect(),
    }
}

fn read(shape: &Shape) -> Option<Receipt> {
    let tlvs = ReceiptTlvs {
        message_id: shape.tlv_id.as_deref(),
        message_state: shape.tlv_state,
        network_error: shape.tlv_error,
    };
    Receipt::read(&octets(&shape.text, shape.coding), tlvs)
}

fn word(state: ReceiptState) -> &'static str {
    if state == ReceiptState::Unrecognised { "unrecognised" } else { state.as_str() }
}

fn written(date: ReceiptDate) -> String {
    let ReceiptDate { year, month, day, hour, minute, second } = date;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[test]
fn every_shape_is_read() {
    for shape in corpus().receipt {
        let receipt = read(&shape).unwrap_or_else(|| panic!("{}: no receipt", shape.from));

        let found = (receipt.id.as_str(), word(receipt.state), receipt.err.as_deref());
        let wanted = (shape.id.as_str(), shape.state.as_str(), shape.err.as_deref());
        assert_eq!(found, wanted, "{}: {:?}", shape.from, shape.text);
        if shape.done.is_some() {
            assert_eq!(receipt.done.map(written), shape.done, "{}", shape.from);
        }
    }
}

#[test]
fn a_message_that_names_no_id_is_no_receipt() {
    for message in corpus().message {
        let read = Receipt::read(&octets(&message.text, None), ReceiptTlvs::default());
        assert_eq!(read, None, "{}", message.from);
    }
}

#[test]
fn ids_meet_as_the_settings_say() {
    for ids in corpus().ids {
        let base: IdBase = ids.base.parse().unwrap();
        assert_eq!(matches(&ids.response, &ids.receipt, base), ids.same, "{}", ids.from);
    }
}

#[test]
fn the_corpus_is_large_and_says_nothing_twice() {
    let shapes = corpus().receipt;

    let distinct: BTreeSet<_> =
        shapes.iter().map(|shape| (&shape.text, &shape.tlv_id, shape.tlv_state, shape.tlv_error)).collect();

    assert_eq!(distinct.len(), shapes.len());
    assert!(distinct.len() >= 60, "{}", distinct.len());
}
