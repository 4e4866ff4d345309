//! Reads the members of a JSON object with scalar values as the text they were written as.
//!
//! serde_json's own values would turn `1.50` into `1.5` and round a number of thirty digits, but a number given as an id
//! has to be echoed as it came. So values are taken raw.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A member's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// `null`.
    Null,
    /// The characters of a string, or the literal text of a number or boolean.
    Text(String),
    /// An object or array.
    Composite,
}

/// Bytes that do not begin with a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAnObject;

/// Calls `member` for each member of the object that `value` begins with, in order; text after it is ignored.
/// Values of members that `wanted` declines are not looked at.
pub(super) fn members(
    value: &[u8],
    wanted: impl Fn(&str) -> bool,
    member: impl FnMut(&str, Scalar),
) -> Result<(), NotAnObject> {
    let text = std::str::from_utf8(value).map_err(|_| NotAnObject)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members { wanted, member }).map_err(|_| NotAnObject)
}

struct Members<W, M> {
    wanted: W,
    member: M,
}

impl<'de, W, M> Visitor<'de> for Members<W, M>
where
    W: Fn(&str) -> bool,
    M: FnMut(&str, Scalar),
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if (self.wanted)(&name) {
                let value: &RawValue = map.next_value()?;
                (self.member)(&name, scalar(value.get()).map_err(A::Error::custom)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A member's name, in the text itself unless something in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

/// Reads a value whose syntax has been judged.
fn scalar(raw: &str) -> serde_json::Result<Scalar> {
    let quoted = || raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(match raw.as_bytes().first() {
        Some(b'"') => Scalar::Text(match quoted().filter(|text| !text.contains('\\')) {
            Some(plain) => plain.to_owned(),
            None => serde_json::from_str(raw)?,
        }),
        Some(b'{' | b'[') => Scalar::Composite,
        Some(b'n') => Scalar::Null,
        _ => Scalar::Text(raw.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn all(text: &str) -> Result<Vec<(String, Scalar)>, NotAnObject> {
        let mut found = Vec::new();
        members(text.as_bytes(), |_| true, |name, value| found.push((name.to_owned(), value)))?;
        Ok(found)
    }

    #[test]
    fn scalars_keep_their_spelling() {
        let text = "\n { \"a\" : 1.50 ,\"b\":123456789012345678901234567890, \"c\":true,\"d\":null,\
                    \"e\":\"x\\\"}\\u00e9\",\"f\":[{\"]\":1}],\"g\":-0}tail";

        let found = all(text).unwrap();

        let shown: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let word = |text: &str| Scalar::Text(text.to_owned());
        assert_eq!(
            shown,
            [
                ("a", &word("1.50")),
                ("b", &word("123456789012345678901234567890")),
                ("c", &word("true")),
                ("d", &Scalar::Null),
                ("e", &word("x\"}é")),
                ("f", &Scalar::Composite),
                ("g", &word("-0")),
            ]
        );
    }

    #[test]
    fn only_objects_are_read() {
        for text in ["", " ", "null", "[]", "\"{}\"", "{", "{\"a\"}", "{\"a\":1,}", "\u{feff}{}", "{'a':1}"] {
            assert_eq!(all(text), Err(NotAnObject), "{text:?}");
        }
        assert_eq!(all("{}"), Ok(vec![]));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn members_are_those_that_serde_json_reads(
            object in proptest::collection::btree_map(any::<String>(), json(), 0..6),
            tail: String,
            pretty: bool,
        ) {
            let value = Value::Object(object.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };

            let found = all(&(text.unwrap() + &tail)).unwrap();

            let expected: Vec<(String, Scalar)> = value.as_object().unwrap().iter().map(|(name, value)| {
                (name.clone(), match value {
                    Value::Null => Scalar::Null,
                    Value::String(text) => Scalar::Text(text.clone()),
                    Value::Object(_) | Value::Array(_) => Scalar::Composite,
                    other => Scalar::Text(other.to_string()),
                })
            }).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
