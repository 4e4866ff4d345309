//! What attributes say: doc comments, and how serde reads a type or a field.

use serde_json::Value;
use syn::{Attribute, Expr, Lit};

/// What `#[serde(…)]` says: words, and names with a text.
pub(super) struct Serde(Vec<(String, Option<String>)>);

impl Serde {
    pub(super) fn of(attributes: &[Attribute]) -> Self {
        let mut found = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            // What is in another form, such as bounds, says nothing of what is written in a file.
            let _ = attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let value = meta.value().and_then(|value| value.parse::<syn::LitStr>()).ok();
                found.push((name, value.map(|value| value.value())));
                Ok(())
            });
        }
        Self(found)
    }

    /// What a name is set to.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name)?.1.as_deref()
    }

    /// Whether a word is there, alone.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.iter().any(|(found, value)| found == name && value.is_none())
    }
}

/// Tells whether a trait is derived.
pub(super) fn derives(attributes: &[Attribute], wanted: &str) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|attribute| {
        let mut found = false;
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.segments.last().is_some_and(|name| name.ident == wanted);
            Ok(())
        });
        found
    })
}

/// Joins the lines of a doc comment to one, without the brackets of links.
pub(super) fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(text) => literal(&text.lit)?.as_str().map(str::to_owned),
            _ => None,
        },
        _ => None,
    });
    let text = lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ");
    text.replace("[`", "`").replace("`]", "`").trim().to_owned()
}

/// The value of a literal.
pub(super) fn literal(lit: &Lit) -> Option<Value> {
    match lit {
        Lit::Str(text) => Some(Value::from(text.value())),
        Lit::Int(number) => number.base10_parse::<u64>().ok().map(Value::from),
        Lit::Bool(flag) => Some(Value::from(flag.value)),
        _ => None,
    }
}

/// Spells a variant as `rename_all` says.
pub(super) fn rename(variant: &str, rule: Option<&str>) -> String {
    let between = match rule {
        Some("lowercase") => return variant.to_lowercase(),
        Some("UPPERCASE") => return variant.to_uppercase(),
        Some("snake_case") => '_',
        Some("kebab-case") => '-',
        _ => return variant.to_owned(),
    };
    let mut written = String::new();
    for (place, letter) in variant.char_indices() {
        if letter.is_uppercase() && place > 0 {
            written.push(between);
        }
        written.extend(letter.to_lowercase());
    }
    written
}
