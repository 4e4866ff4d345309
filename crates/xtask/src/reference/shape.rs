//! Schemas as words: `EnvelopeId[]`, `string (uuid) or null`.

use serde_json::Value;

/// What stands for a schema in a table; names link to their section on the same page.
pub(super) fn words(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for (key, joint) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(words).collect::<Vec<_>>().join(joint);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{}`", text(value));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return "any".to_owned(),
    };
    let named = types.iter().map(|name| match *name {
        "array" => items(&schema["items"]),
        name => format!("{name}{}", notes(schema, name)),
    });
    named.collect::<Vec<_>>().join(" or ")
}

fn items(schema: &Value) -> String {
    let words = words(schema);
    if words.contains(' ') && !words.starts_with('[') { format!("({words})[]") } else { format!("{words}[]") }
}

/// What bounds a value, in brackets.
fn notes(schema: &Value, name: &str) -> String {
    if name == "null" {
        return String::new();
    }
    let mut notes: Vec<String> = schema["format"].as_str().map(str::to_owned).into_iter().collect();
    for (key, sign) in
        [("minimum", "≥ "), ("maximum", "≤ "), ("minLength", "length ≥ "), ("maxLength", "length ≤ ")]
    {
        notes.extend(schema.get(key).map(|bound| format!("{sign}{bound}")));
    }
    notes.extend(schema["pattern"].as_str().map(|pattern| format!("`{pattern}`")));
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_told_in_words() {
        for (schema, expected) in [
            (json!({"$ref": "#/components/schemas/AckRequest"}), "[AckRequest](#ackrequest)"),
            (json!({"type": ["string", "null"], "format": "uuid"}), "string (uuid) or null"),
            (json!({"type": "array", "items": {"$ref": "#/x/Id"}}), "[Id](#id)[]"),
            (
                json!({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}}),
                "(integer (≥ 1, ≤ 9))[]",
            ),
            (json!({"oneOf": [{"type": "null"}, {"$ref": "#/x/Id"}]}), "null or [Id](#id)"),
            (json!({"type": "string", "enum": ["a", "b"]}), "`a`, `b`"),
            (json!({}), "any"),
        ] {
            assert_eq!(words(&schema), expected);
        }
    }
}
