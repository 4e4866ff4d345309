//! The limits, one by one, and that nothing is lost or cut through for any text.

use proptest::prelude::*;

use super::*;
use crate::coding::decode_text_in;
use crate::gsm7::{self, ESCAPE};
use crate::udh;

const REFERENCE: Reference = Reference::Eight(0x2A);
const GSM7: Coding = Coding::Default(DefaultAlphabet::Gsm7);
const PAYLOAD: LongText = LongText::Payload { most_octets: u16::MAX };
const FORMS: [LongText; 4] = [LongText::Udh8, LongText::Udh16, LongText::Sar, PAYLOAD];

fn lengths(text: &str, reference: Reference) -> (Coding, Vec<usize>) {
    let parts = message_parts(text, reference).unwrap();
    (parts.coding, parts.parts.iter().map(|part| part.octets.len()).collect())
}

#[test]
fn limits_are_160_and_153_septets() {
    assert_eq!(lengths(&"a".repeat(160), REFERENCE), (GSM7, vec![160]));
    assert_eq!(lengths(&"a".repeat(161), REFERENCE), (GSM7, vec![153, 8]));
    assert_eq!(lengths(&"a".repeat(306), REFERENCE), (GSM7, vec![153, 153]));
    assert_eq!(lengths(&"a".repeat(307), REFERENCE), (GSM7, vec![153, 153, 1]));
    assert_eq!(lengths(&"a".repeat(161), Reference::Sixteen(1)), (GSM7, vec![152, 9]));
}

#[test]
fn limits_are_70_and_67_units() {
    assert_eq!(lengths(&"ж".repeat(70), REFERENCE), (Coding::Ucs2, vec![140]));
    assert_eq!(lengths(&"ж".repeat(71), REFERENCE), (Coding::Ucs2, vec![134, 8]));
    assert_eq!(lengths(&"ж".repeat(71), Reference::Sixteen(1)), (Coding::Ucs2, vec![132, 10]));
}

#[test]
fn extension_characters_count_twice_and_are_not_cut() {
    assert_eq!(lengths(&"€".repeat(80), REFERENCE), (GSM7, vec![160]));
    assert_eq!(lengths(&"€".repeat(81), REFERENCE), (GSM7, vec![152, 10]));
}

#[test]
fn surrogate_pairs_are_not_cut() {
    assert_eq!(lengths(&"😀".repeat(35), REFERENCE), (Coding::Ucs2, vec![140]));
    assert_eq!(lengths(&"😀".repeat(36), REFERENCE), (Coding::Ucs2, vec![132, 12]));
}

#[test]
fn one_character_outside_the_alphabet_makes_it_ucs2() {
    assert_eq!(lengths("price 5 €", REFERENCE).0, GSM7);
    assert_eq!(lengths("price 5 ₤", REFERENCE).0, Coding::Ucs2);
}

#[test]
fn headers_count_from_one_and_a_single_part_has_none() {
    let long = message_parts(&"a".repeat(320), REFERENCE).unwrap();
    let short = message_parts("a", REFERENCE).unwrap();

    let headers: Vec<_> = long.parts.iter().map(|part| part.udh.as_slice()).collect();
    assert_eq!(headers, [[5, 0, 3, 0x2A, 3, 1], [5, 0, 3, 0x2A, 3, 2], [5, 0, 3, 0x2A, 3, 3]]);
    assert_eq!(short.parts[0].short_message(), b"a");
    assert!(short.parts[0].udh.is_empty());
}

#[test]
fn the_255th_part_is_the_last() {
    assert_eq!(message_parts(&"a".repeat(255 * 153), REFERENCE).unwrap().parts.len(), 255);
    assert_eq!(
        message_parts(&"a".repeat(255 * 153 + 1), REFERENCE),
        Err(PartsError::TooManyParts { parts: 256 })
    );
}

#[test]
fn debug_output_hides_the_text() {
    let shown = format!("{:?}", message_parts("positive", REFERENCE).unwrap());

    assert_eq!(
        shown,
        "Parts { coding: Default(Gsm7), parts: [Part { udh: [], octets: 8, carrier: ShortMessage }] }"
    );
}

#[test]
fn sar_leaves_room_for_the_header_that_the_smsc_makes() {
    let cut = parts(&"a".repeat(161), DefaultAlphabet::Gsm7, LongText::Sar, 0xBEEF).unwrap();

    let places: Vec<_> = cut.parts.iter().map(|part| (part.octets.len(), part.carrier)).collect();
    let place = |number| Carrier::Sar(Sar { reference: 0xEF, total: 2, number });
    assert_eq!(places, [(153, place(1)), (8, place(2))]);
    assert!(cut.parts.iter().all(|part| part.udh.is_empty() && part.message_payload().is_none()));
    assert_eq!(cut.parts[0].short_message(), b"a".repeat(153));
}

#[test]
fn a_payload_has_the_whole_text_and_is_counted_as_the_smsc_will_cut_it() {
    let cut = parts(&"ж".repeat(71), DefaultAlphabet::Gsm7, PAYLOAD, 7).unwrap();

    assert_eq!((cut.segments, cut.parts.len()), (2, 1));
    assert_eq!(cut.parts[0].message_payload().unwrap().len(), 142);
    assert!(cut.parts[0].short_message().is_empty());
    let limited = |most_octets| {
        let form = LongText::Payload { most_octets };
        parts(&"ж".repeat(71), DefaultAlphabet::Gsm7, form, 7).map(|cut| cut.parts.len())
    };
    assert_eq!(limited(142), Ok(1));
    assert_eq!(limited(141), Err(PartsError::TooLong { octets: 142, most: 141 }));
}

#[test]
fn what_fits_one_sms_is_a_short_message_in_every_form() {
    for form in FORMS {
        let cut = parts(&"a".repeat(160), DefaultAlphabet::Gsm7, form, 7).unwrap();

        let part = Part { udh: Vec::new(), octets: b"a".repeat(160), carrier: Carrier::ShortMessage };
        assert_eq!((cut.segments, cut.parts), (1, vec![part]), "{form:?}");
    }
}

#[test]
fn no_form_has_more_than_255_parts() {
    for form in FORMS {
        let segment = if form == LongText::Udh16 { 152 } else { 153 };
        let cut = |length| parts(&"a".repeat(length), DefaultAlphabet::Gsm7, form, 7);

        assert_eq!(cut(255 * segment).unwrap().segments, 255, "{form:?}");
        assert_eq!(cut(255 * segment + 1), Err(PartsError::TooManyParts { parts: 256 }), "{form:?}");
    }
}

#[test]
fn other_alphabets_are_counted_in_the_septets_of_the_air() {
    let lengths = |text: &str| {
        let cut = parts(text, DefaultAlphabet::Latin1, LongText::Udh8, 7).unwrap();
        (cut.coding, cut.parts.iter().map(|part| part.octets.len()).collect::<Vec<_>>())
    };
    let latin1 = Coding::Default(DefaultAlphabet::Latin1);

    assert_eq!(lengths(&"é".repeat(160)), (latin1, vec![160]));
    assert_eq!(lengths(&"é".repeat(161)), (latin1, vec![153, 8]));
    // One octet in the PDU, two septets in the SMS.
    assert_eq!(lengths(&"[".repeat(80)), (latin1, vec![80]));
    assert_eq!(lengths(&"[".repeat(81)), (latin1, vec![76, 5]));
    assert_eq!(lengths(&"ê".repeat(71)), (Coding::Ucs2, vec![134, 8]));
}

#[test]
fn words_of_the_settings_are_read() {
    for form in FORMS {
        assert_eq!(form.as_str().parse(), Ok(form));
    }
    assert_eq!("UDH".parse::<LongText>(), Err(UnknownLongText));
}

fn any_text() -> impl Strategy<Value = String> {
    let gsm = "[a-zA-Z0-9 @£$ΔΩé\\[\\]{}€~^|\\\\]{0,700}";
    let latin = "[a-zA-Z0-9 @é\\[\\]{}~]{0,700}";
    let any = proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter);
    let emoji = "[a😀ж]{0,300}";
    prop_oneof![gsm, latin, any, emoji]
}

/// Units that a part's text takes of the 140 octets of an SMS, in bits.
fn bits(coding: Coding, text: &str, octets: usize) -> usize {
    match coding {
        Coding::Default(_) => text.chars().map(|c| gsm7::encode_char(c).unwrap().width() * 7).sum(),
        Coding::Ucs2 => octets * 8,
    }
}

proptest! {
    #[test]
    fn parts_join_to_the_text_and_each_fits(
        text in any_text(),
        alphabet in proptest::sample::select(DefaultAlphabet::ALL.as_slice()),
        form in proptest::sample::select(FORMS.as_slice()),
        reference: u16,
    ) {
        let Parts { coding, segments, parts } = parts(&text, alphabet, form, reference).unwrap();
        let [_, low] = reference.to_be_bytes();

        let mut joined = String::new();
        for (index, part) in parts.iter().enumerate() {
            // Each part by itself is whole text: no half of an escape sequence or surrogate pair.
            let decoded = decode_text_in(alphabet, coding.data_coding(), &part.octets).unwrap();
            prop_assert!(coding != GSM7 || part.octets.last() != Some(&ESCAPE));
            let place = match part.carrier {
                Carrier::ShortMessage if segments == 1 => {
                    prop_assert!(bits(coding, &decoded, part.octets.len()) <= 140 * 8);
                    None
                }
                Carrier::ShortMessage => {
                    let message = part.short_message();
                    let (header, octets) = udh::split(&message);
                    prop_assert_eq!(octets, &part.octets);
                    prop_assert!(header.len() * 8 + bits(coding, &decoded, octets.len()) <= 140 * 8);
                    let found = Concatenation::find(header).unwrap();
                    let expected = match form {
                        LongText::Udh16 => Reference::Sixteen(reference),
                        _ => Reference::Eight(low),
                    };
                    prop_assert_eq!(found.reference, expected);
                    Some((found.total, found.number))
                }
                Carrier::Sar(sar) => {
                    prop_assert!(6 * 8 + bits(coding, &decoded, part.octets.len()) <= 140 * 8);
                    prop_assert_eq!(sar.reference, u16::from(low));
                    Some((sar.total, sar.number))
                }
                Carrier::MessagePayload => {
                    prop_assert_eq!((form, parts.len()), (PAYLOAD, 1));
                    None
                }
            };
            if let Some((total, number)) = place {
                prop_assert_eq!((usize::from(total), usize::from(number)), (parts.len(), index + 1));
            }
            joined += &decoded;
        }
        prop_assert_eq!(joined, text);
    }
}
