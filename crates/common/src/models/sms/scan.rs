//! Reads the members of a JSON object with scalar values as the text they were written as.
//!
//! serde_json alone would turn `1.50` into `1.5` and round a number of thirty digits, but a number given as an id has
//! to be echoed as it came. So serde_json judges the syntax, and this module cuts the judged text into members.

use serde::de::IgnoredAny;

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
    mut member: impl FnMut(&str, Scalar),
) -> Result<(), NotAnObject> {
    let text = std::str::from_utf8(value).map_err(|_| NotAnObject)?;
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    stream.next().and_then(Result::ok).ok_or(NotAnObject)?;
    let judged = text.get(..stream.byte_offset()).unwrap_or_default();

    let mut rest = judged.trim_start().strip_prefix('{').ok_or(NotAnObject)?.trim_start();
    while !rest.starts_with('}') {
        let (name, after) = split_value(rest);
        let (raw, after) = split_value(after.trim_start().trim_start_matches(':').trim_start());
        let name: String = serde_json::from_str(name).map_err(|_| NotAnObject)?;
        if wanted(&name) {
            member(&name, scalar(raw)?);
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
        if rest.is_empty() {
            return Err(NotAnObject);
        }
    }
    Ok(())
}

fn scalar(raw: &str) -> Result<Scalar, NotAnObject> {
    Ok(match raw.as_bytes().first() {
        Some(b'"') => Scalar::Text(serde_json::from_str(raw).map_err(|_| NotAnObject)?),
        Some(b'{' | b'[') => Scalar::Composite,
        Some(b'n') => Scalar::Null,
        _ => Scalar::Text(raw.to_owned()),
    })
}

/// Cuts the value that `text` begins with from what follows it.
fn split_value(text: &str) -> (&str, &str) {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let literal = !matches!(text.as_bytes().first(), Some(b'"' | b'{' | b'['));
    let mut end = text.len();
    for (at, octet) in text.bytes().enumerate() {
        if literal {
            if matches!(octet, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                end = at;
                break;
            }
            continue;
        }
        match (quoted, octet) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !quoted {
            end = at + 1;
            break;
        }
    }
    text.split_at_checked(end).unwrap_or((text, ""))
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
