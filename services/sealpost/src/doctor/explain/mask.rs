//! Values as they may be shown.

use serde_json::Value;

/// Shows a value: of a secret, and of what may hold one, no more than that it is there; of a URL no more than where it
/// leads, since a password, a key or a path may be all that protects what is behind it.
pub(super) fn shown(value: &Value, secret: bool, private: bool) -> String {
    if secret {
        return "[secret, set]".to_owned();
    }
    if private {
        return "[set; not shown, as a key may be in it]".to_owned();
    }
    plain(value).to_string()
}

fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(without_secrets(text)),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // The last @ ends the user's part: a password may hold one, and even a slash.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("[hidden]@", rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let more = if rest[end..].trim_end_matches('/').is_empty() { &rest[end..] } else { "/…" };
    format!("{scheme}://{user}{}{more}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_show_where_they_lead_and_nothing_else() {
        for (url, expected) in [
            ("postgres://app:s3c/r@t@db:5432/sealpost?password=x", "postgres://[hidden]@db:5432/…"),
            ("amqp://guest:guest@mq", "amqp://[hidden]@mq"),
            ("https://hooks.example/T0/B0/secret", "https://hooks.example/…"),
            ("https://hooks.example?key=1", "https://hooks.example/…"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }

    #[test]
    fn secrets_are_told_to_be_set() {
        let value = json!(["hunter2", {"a": "http://u:hunter2@h"}]);

        assert_eq!(shown(&value, true, false), "[secret, set]");
        assert!(!shown(&value, false, true).contains("hunter2"));
        assert_eq!(shown(&value, false, false), r#"["hunter2",{"a":"http://[hidden]@h"}]"#);
    }
}
