//! The settings file as a JSON Schema (2020-12): editors complete and check by it, and `sealpost doctor --explain` tells
//! from it.
//!
//! Beside the words of JSON Schema a setting has `x-type`, its type in words; `x-refusedWith`, what a start says of
//! a value that cannot work; and a section `x-readBy`. A secret is `writeOnly`, and
//! what may hold one has `x-private`.

use serde_json::{Map, Value, json};

use super::model::{Kind, Setting};

/// Describes the whole file.
pub(super) fn file(sections: Map<String, Value>) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by `cargo xtask settings`; change the doc comments in the code instead.",
        "title": "Settings of Sealpost",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

/// Describes a table.
pub(super) fn table(settings: &[Setting]) -> Value {
    let properties: Map<String, Value> =
        settings.iter().map(|setting| (setting.name.clone(), property(setting))).collect();
    // Whatever is given as `…_file` is given.
    let needed: Vec<Value> = settings
        .iter()
        .filter(|setting| setting.needed)
        .map(|Setting { name, .. }| json!({ "anyOf": [{ "required": [name] }, { "required": [format!("{name}_file")] }] }))
        .collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { "_file$": { "type": "string", "description": "A file whose content is the value." } },
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        table["allOf"] = Value::Array(needed);
    }
    table
}

fn property(setting: &Setting) -> Value {
    let mut property = kind(&setting.kind);
    property["description"] = Value::from(setting.docs.as_str());
    if let Some(default) = &setting.default {
        property["default"] = default.clone();
    }
    if !setting.rules.is_empty() {
        property["x-refusedWith"] = Value::from(setting.rules.join("; "));
    }
    property
}

fn kind(of: &Kind) -> Value {
    let text = |says: &str| json!({ "type": "string", "x-type": says });
    match of {
        Kind::Flag => json!({ "type": "boolean", "x-type": "true or false" }),
        Kind::Integer(least, most) => {
            let mut integer = json!({ "type": "integer", "minimum": least, "x-type": "integer" });
            if let Some(most) = most {
                integer["maximum"] = Value::from(*most);
            }
            integer
        }
        Kind::Number => json!({ "type": "number", "x-type": "number" }),
        // A bare number is one of seconds where the documents of a known system have it so.
        Kind::Time => json!({ "type": ["string", "number"], "x-type": "time" }),
        Kind::Term => text("time, or never"),
        Kind::Text => text("text"),
        Kind::Form(says) => text(says),
        Kind::Words(words) => {
            let words: Vec<Value> =
                words.iter().map(|word| json!({ "const": word.written, "description": word.docs })).collect();
            json!({ "type": "string", "x-type": "word", "anyOf": words })
        }
        Kind::Secret(of) => {
            let mut secret = kind(of);
            secret["writeOnly"] = Value::from(true);
            secret
        }
        Kind::Private(of) => {
            let mut private = kind(of);
            private["x-private"] = Value::from(true);
            private
        }
        Kind::List(of) => json!({ "type": "array", "x-type": "list", "items": kind(of) }),
        Kind::Named(of) => json!({ "type": "object", "x-type": "by name", "additionalProperties": kind(of) }),
        Kind::Table(settings) => table(settings),
        Kind::Any => json!({ "x-type": "text or table" }),
    }
}
