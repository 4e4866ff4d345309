//! JSON as people paste it together: control characters within strings (the line ends of a PEM, most of all) stand for
//! themselves, which RFC 8259 §7 forbids; and of a key that is there twice the last one counts. Everything else is as
//! strict as ever.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads an object of such JSON.
///
/// # Errors
/// Those of `serde_json`.
pub(super) fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_slice(&escaped(body))?;
    serde_json::from_value(Value::Object(object))
}

/// Escapes the control characters within strings.
fn escaped(body: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = body.iter().position(|octet| is_raw(*octet)) else { return Cow::Borrowed(body) };
    let mut strict = Vec::with_capacity(body.len() + body.len() / 8);
    let (mut in_string, mut after_backslash) = (false, false);
    for (at, octet) in body.iter().copied().enumerate() {
        // Behind a backslash it stays, so that the parser refuses it: it would become the end of another escape.
        if in_string && !after_backslash && at >= first && is_raw(octet) {
            strict.extend_from_slice(format!("\\u{:04x}", u16::from(octet)).as_bytes());
            continue;
        }
        in_string ^= octet == b'"' && !after_backslash;
        after_backslash = in_string && octet == b'\\' && !after_backslash;
        strict.push(octet);
    }
    Cow::Owned(strict)
}

fn is_raw(octet: u8) -> bool {
    octet < 0x20
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&escaped(body))
    }

    #[test]
    fn a_pem_may_be_pasted_as_it_is() {
        let body = b"{\n\t\"public_key\": \"-----BEGIN\nline two\r\n\tend\"\n}";

        let read: BTreeMap<String, String> = parse_object(body).unwrap();

        assert_eq!(read["public_key"], "-----BEGIN\nline two\r\n\tend");
    }

    #[test]
    fn the_last_of_two_counts_and_nothing_but_an_object_is_one() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Fields {
            a: String,
        }

        assert_eq!(parse_object::<Fields>(br#"{"a": 1, "a": "2"}"#).unwrap(), Fields { a: "2".into() });
        for body in [r#"["2"]"#, r#""2""#, "null"] {
            assert!(parse_object::<Fields>(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_rest_is_as_strict_as_ever() {
        for body in [
            "",
            "{",
            "{\"a\": \"b}\n",
            "{\"a\": \"b\"\n\"c\": 1}",
            "\u{b}{}",
            "{'a': 1}",
            "{\"a\": \"\\\n\"}",
            "a=b",
        ] {
            assert!(parse::<Value>(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(parse::<Value>(b"\"\xff\n\"").is_err(), "not UTF-8");
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written_raw(text: String) {
            let raw: String = text
                .chars()
                .flat_map(|c| if matches!(c, '"' | '\\') { vec!['\\', c] } else { vec![c] })
                .collect();

            let read: Value = parse(format!("[\n\"{raw}\", \"\\\\\"]").as_bytes()).unwrap();

            prop_assert_eq!(read, serde_json::json!([text, "\\"]));
        }

        #[test]
        fn what_is_json_means_the_same(keys in prop::collection::btree_map(any::<String>(), any::<(String, i64)>(), 0..5)) {
            for body in [serde_json::to_vec(&keys).unwrap(), serde_json::to_vec_pretty(&keys).unwrap()] {
                prop_assert_eq!(&parse::<BTreeMap<String, (String, i64)>>(&body).unwrap(), &keys);
            }
        }

        #[test]
        fn no_bytes_break_it(body: Vec<u8>) {
            let _ = parse::<Value>(&body);
        }
    }
}
