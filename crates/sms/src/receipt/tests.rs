//! Shapes of receipts as SMSCs send them.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Option<Receipt> {
    Receipt::read(text.as_bytes(), ReceiptTlvs::default())
}

fn id_state_err(text: &str) -> (String, ReceiptState, Option<String>) {
    let receipt = read(text).unwrap_or_else(|| panic!("no receipt in {text:?}"));
    (receipt.id, receipt.state, receipt.err)
}

#[test]
fn the_form_of_the_specification_is_read() {
    let text = "id:1234567890 sub:001 dlvrd:001 submit date:2611210936 done date:2611210937 \
                stat:DELIVRD err:000 Text:Your code is";

    let receipt = read(text).unwrap();

    let date = |minute| ReceiptDate { year: 2026, month: 11, day: 21, hour: 9, minute, second: 0 };
    assert_eq!(
        receipt,
        Receipt {
            id: "1234567890".into(),
            state: ReceiptState::Delivered,
            err: None,
            submitted: Some(date(36)),
            done: Some(date(37)),
        }
    );
}

#[test]
fn other_shapes_are_read() {
    use ReceiptState::*;
    let cases = [
        ("ID:7 STAT:UNDELIV ERR:021", "7", Undeliverable, Some("021")),
        ("Id:7 Stat:undeliv Err:0x21", "7", Undeliverable, Some("0x21")),
        ("stat:EXPIRED id:7", "7", Expired, None),
        ("err:000 stat:DELIVRD id:7", "7", Delivered, None),
        ("id:7 stat:DELETED err:0x00", "7", Deleted, None),
        ("id:7 stat:REJECTD err:E12 text:", "7", Rejected, Some("E12")),
        ("id:7 stat:ACCEPTD", "7", Accepted, None),
        ("id:7 stat:ACCEPTED", "7", Accepted, None),
        ("id:7 stat:ENROUTE err:0", "7", Enroute, None),
        ("id:7 stat:UNKNOWN err:255", "7", Unknown, Some("255")),
        ("id:7 stat:DELIVERED", "7", Delivered, None),
        ("id:7 stat:UNDELIVERED", "7", Undeliverable, None),
        ("id:7 stat:SKIPPED", "7", Unrecognised, None),
        ("id:7 stat: err:001", "7", Unrecognised, Some("001")),
        ("id:7 err: text:", "7", Unrecognised, None),
        ("id: 7 stat: DELIVRD err: 000", "7", Delivered, None),
        ("id:7, stat:DELIVRD, err:000", "7", Delivered, None),
        ("id:7\nstat:DELIVRD\r\nerr:000", "7", Delivered, None),
        ("id:7 stat:DELIVRD\0", "7", Delivered, None),
        ("  id:7 stat:DELIVRD", "7", Delivered, None),
        ("id:3a5f-99_x@y stat:DELIVRD", "3a5f-99_x@y", Delivered, None),
        ("id:7 done_date:2611210937 donedate:x stat:DELIVRD", "7", Delivered, None),
        ("text:hello id:7 stat:DELIVRD", "7", Delivered, None),
        ("msgid:9 id:7 stat:DELIVRD", "7", Delivered, None),
    ];

    for (text, id, state, err) in cases {
        assert_eq!(id_state_err(text), (id.to_owned(), state, err.map(str::to_owned)), "{text:?}");
    }
}

#[test]
fn the_quoted_message_cannot_change_the_receipt() {
    let text = "id:7 stat:UNDELIV text:id:8 stat:DELIVRD err:009";

    assert_eq!(id_state_err(text), ("7".into(), ReceiptState::Undeliverable, None));
}

#[test]
fn bad_dates_do_not_matter() {
    for date in ["", "0", "9999999999", "26112109361", "26-11-21", "261121093６", "00000000000000"] {
        let receipt = read(&format!("id:7 submit date:{date} done date:{date} stat:DELIVRD")).unwrap();
        assert_eq!((receipt.state, receipt.done), (ReceiptState::Delivered, None), "{date:?}");
    }
}

#[test]
fn dates_have_three_lengths() {
    let date = ReceiptDate { year: 2026, month: 2, day: 28, hour: 23, minute: 59, second: 0 };

    assert_eq!(ReceiptDate::parse("2602282359"), Some(date));
    assert_eq!(ReceiptDate::parse("260228235958"), Some(ReceiptDate { second: 58, ..date }));
    assert_eq!(ReceiptDate::parse("20260228235958"), Some(ReceiptDate { second: 58, ..date }));
}

#[test]
fn tlvs_win_and_fill_in() {
    let tlvs = |message_id, message_state| ReceiptTlvs { message_id, message_state, network_error: Some(9) };
    let text = b"id:7 stat:UNDELIV err:000".as_slice();
    let cases = [
        (text, tlvs(Some("8"), Some(2)), "8", ReceiptState::Delivered),
        (text, tlvs(None, Some(2)), "7", ReceiptState::Delivered),
        (text, tlvs(Some("8"), None), "8", ReceiptState::Undeliverable),
        (text, tlvs(Some(""), Some(99)), "7", ReceiptState::Undeliverable),
        (b"", tlvs(Some("8"), Some(6)), "8", ReceiptState::Accepted),
        (b"", tlvs(Some("8"), None), "8", ReceiptState::Unrecognised),
    ];

    for (text, tlvs, id, state) in cases {
        let receipt = Receipt::read(text, tlvs).unwrap();
        assert_eq!((receipt.id.as_str(), receipt.state), (id, state), "{tlvs:?}");
        assert_eq!(receipt.err.as_deref(), Some("9"));
    }
}

#[test]
fn without_an_id_there_is_no_receipt() {
    for text in ["", "stat:DELIVRD", "id: stat:DELIVRD", "hello", "identity", "id:"] {
        assert_eq!(read(text), None, "{text:?}");
    }
}

#[test]
fn only_the_first_two_states_are_not_final() {
    for value in 1..=8 {
        let state = ReceiptState::from_message_state(value).unwrap();
        assert_eq!(state.is_final(), !matches!(value, 1 | 6));
    }
}

proptest! {
    #[test]
    fn any_octets_can_be_read(octets: Vec<u8>, id: Option<String>, message_state: Option<u8>) {
        let _ = Receipt::read(
            &octets,
            ReceiptTlvs { message_id: id.as_deref(), message_state, network_error: None },
        );
    }

    #[test]
    fn fields_are_found_in_any_order(
        order in Just(vec!["id:abc", "sub:001", "dlvrd:001", "submit date:2611210936", "stat:EXPIRED", "err:044"])
            .prop_shuffle(),
        upper: bool,
    ) {
        let text = order.join(" ");
        let text = if upper { text.to_uppercase() } else { text };

        let receipt = read(&text).unwrap();

        prop_assert!(receipt.id.eq_ignore_ascii_case("abc"));
        prop_assert_eq!(receipt.state, ReceiptState::Expired);
        prop_assert_eq!(receipt.err.as_deref(), Some("044"));
        prop_assert!(receipt.submitted.is_some());
    }
}
