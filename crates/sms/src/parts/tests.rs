//! The limits, one by one, and that nothing is lost or cut through for any text.

use proptest::prelude::*;

use super::*;
use crate::coding::decode_text;
use crate::gsm7::ESCAPE;
use crate::udh;

const REFERENCE: Reference = Reference::Eight(0x2A);

fn lengths(text: &str, reference: Reference) -> (Coding, Vec<usize>) {
    let parts = message_parts(text, reference).unwrap();
    (parts.coding, parts.parts.iter().map(|part| part.octets.len()).collect())
}

#[test]
fn limits_are_160_and_153_septets() {
    assert_eq!(lengths(&"a".repeat(160), REFERENCE), (Coding::Gsm7, vec![160]));
    assert_eq!(lengths(&"a".repeat(161), REFERENCE), (Coding::Gsm7, vec![153, 8]));
    assert_eq!(lengths(&"a".repeat(306), REFERENCE), (Coding::Gsm7, vec![153, 153]));
    assert_eq!(lengths(&"a".repeat(307), REFERENCE), (Coding::Gsm7, vec![153, 153, 1]));
    assert_eq!(lengths(&"a".repeat(161), Reference::Sixteen(1)), (Coding::Gsm7, vec![152, 9]));
}

#[test]
fn limits_are_70_and_67_units() {
    assert_eq!(lengths(&"ж".repeat(70), REFERENCE), (Coding::Ucs2, vec![140]));
    assert_eq!(lengths(&"ж".repeat(71), REFERENCE), (Coding::Ucs2, vec![134, 8]));
    assert_eq!(lengths(&"ж".repeat(71), Reference::Sixteen(1)), (Coding::Ucs2, vec![132, 10]));
}

#[test]
fn extension_characters_count_twice_and_are_not_cut() {
    assert_eq!(lengths(&"€".repeat(80), REFERENCE), (Coding::Gsm7, vec![160]));
    assert_eq!(lengths(&"€".repeat(81), REFERENCE), (Coding::Gsm7, vec![152, 10]));
}

#[test]
fn surrogate_pairs_are_not_cut() {
    assert_eq!(lengths(&"😀".repeat(35), REFERENCE), (Coding::Ucs2, vec![140]));
    assert_eq!(lengths(&"😀".repeat(36), REFERENCE), (Coding::Ucs2, vec![132, 12]));
}

#[test]
fn one_character_outside_the_alphabet_makes_it_ucs2() {
    assert_eq!(lengths("price 5 €", REFERENCE).0, Coding::Gsm7);
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

    assert_eq!(shown, "Parts { coding: Gsm7, parts: [Part { udh: [], octets: 8 }] }");
}

fn any_text() -> impl Strategy<Value = String> {
    let gsm = "[a-zA-Z0-9 @£$ΔΩé\\[\\]{}€~^|\\\\]{0,700}";
    let any = proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter);
    let emoji = "[a😀ж]{0,300}";
    prop_oneof![gsm, any, emoji]
}

proptest! {
    #[test]
    fn parts_join_to_the_text_and_each_fits(text in any_text(), wide: bool) {
        let reference = if wide { Reference::Sixteen(0xBEEF) } else { Reference::Eight(7) };
        let Parts { coding, parts } = message_parts(&text, reference).unwrap();

        let mut joined = String::new();
        for (index, part) in parts.iter().enumerate() {
            let bits = match coding {
                Coding::Gsm7 => part.octets.len() * 7,
                Coding::Ucs2 => part.octets.len() * 8,
            };
            prop_assert!(part.udh.len() * 8 + bits <= 140 * 8);
            prop_assert!(coding != Coding::Gsm7 || part.octets.last() != Some(&ESCAPE));
            // Each part by itself is whole text: no half of an escape sequence or surrogate pair.
            joined += &decode_text(coding.data_coding(), &part.octets).unwrap();
            if parts.len() > 1 {
                let message = part.short_message();
                let (header, octets) = udh::split(&message);
                prop_assert_eq!(octets, &part.octets);
                let place = Concatenation::find(header).unwrap();
                prop_assert_eq!(place.reference, reference);
                prop_assert_eq!(usize::from(place.number), index + 1);
                prop_assert_eq!(usize::from(place.total), parts.len());
            }
        }
        prop_assert_eq!(joined, text);
    }
}
