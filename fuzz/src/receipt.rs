//! What an SMSC says of messages: receipts, ids, user data headers, texts in any alphabet.

use sms::message_id::{IdBase, matches, receipt_keys};
use sms::receipt::{Receipt, ReceiptTlvs};
use sms::{DefaultAlphabet, Joined, LongText, Piece, decode_text_in, join, parts, plain_coding, sender, udh};

/// Checks one message: an octet that chooses the TLVs, an octet of alphabet, the text.
pub fn check(octets: &[u8]) {
    let [choice, coding, text @ ..] = octets else { return };
    let latin: String = text.iter().copied().map(char::from).collect();
    receipt(*choice, text, &latin);
    read_text(*coding, text);
    send_text(*choice, &latin);
    // A refusal is an answer.
    let _ = sender::detect(&latin);
}

fn receipt(choice: u8, text: &[u8], latin: &str) {
    let tlvs = ReceiptTlvs {
        message_id: (choice & 1 != 0).then(|| latin.get(..latin.len().min(65)).unwrap_or("")),
        message_state: (choice & 2 != 0).then_some(choice >> 3),
        network_error: (choice & 4 != 0).then_some(u16::from(choice)),
    };
    let Some(receipt) = Receipt::read(text, tlvs) else { return };
    assert!(!receipt.id.trim().is_empty());
    assert!(receipt.err.is_none_or(|err| !err.is_empty()));
    for date in [receipt.submitted, receipt.done].into_iter().flatten() {
        assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day) && date.hour < 24);
    }
    for base in [IdBase::Auto, IdBase::AsIs, IdBase::HexThenDecimal, IdBase::DecimalThenHex] {
        assert!(matches(&receipt.id, &receipt.id, base));
        assert!(!receipt_keys(&receipt.id, base).is_empty());
    }
}

fn read_text(coding: u8, text: &[u8]) {
    let (header, rest) = udh::split(text);
    assert_eq!(header.len() + rest.len(), text.len());
    if let Some(place) = udh::Concatenation::find(header) {
        assert!(place.number >= 1 && place.number <= place.total);
    }
    for alphabet in DefaultAlphabet::ALL {
        let _ = decode_text_in(alphabet, coding, rest);
        join_text(plain_coding(coding, alphabet), rest);
    }
}

/// However a message is cut, it is joined to the same; a missing part is no reason to fail.
fn join_text(coding: u8, text: &[u8]) {
    let piece = |octets: &[u8]| Some(Piece { coding, octets: octets.to_vec() });
    let (head, tail) = text.split_at(text.len() / 2);
    let whole = join(&[piece(text)]);
    assert_eq!(join(&[piece(head), piece(tail)]), whole);
    let partial = join(&[piece(head), None, piece(tail)]);
    assert_eq!(matches!(partial, Joined::Text(_)), matches!(whole, Joined::Text(_)));
}

/// Any text goes out and comes back the same, in every alphabet and form.
fn send_text(choice: u8, text: &str) {
    let form = match choice % 4 {
        0 => LongText::Udh8,
        1 => LongText::Udh16,
        2 => LongText::Sar,
        _ => LongText::Payload { most_octets: u16::MAX },
    };
    for alphabet in DefaultAlphabet::ALL {
        let Ok(cut) = parts(text, alphabet, form, choice.into()) else { continue };
        let texts = cut.parts.iter().map(|part| {
            assert!(part.short_message().len() <= 160);
            decode_text_in(alphabet, cut.coding.data_coding(), &part.octets).expect("our own coding")
        });
        assert_eq!(texts.collect::<String>(), text);
    }
}
