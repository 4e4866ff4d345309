//! Texts of the settings with places for what a message holds: `Hello {to}`.
//!
//! What must hold: whatever a message says, it stays in its place. A URL gets it percent-encoded; the values of a query,
//! a form or a JSON document are put in before the whole is encoded.

mod json;

use std::fmt;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

pub use json::JsonTemplate;

/// What can be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The recipient with `+`.
    To,
    /// The recipient without.
    ToDigits,
    /// The sender.
    From,
    /// The text.
    Text,
    /// The attempt's id, the same each time it is sent.
    Reference,
    /// Seconds until it is too late, 1 at least.
    ValiditySeconds,
    /// One of two words of the settings: whether the text fits the alphabet of GSM.
    Encoding,
    /// The user name of the settings.
    Username,
    /// The password of the settings.
    Password,
    /// The secret with which the provider brings receipts.
    ReceiptsSecret,
}

const NAMES: [(Field, &str); 10] = [
    (Field::To, "to"),
    (Field::ToDigits, "to_digits"),
    (Field::From, "from"),
    (Field::Text, "text"),
    (Field::Reference, "reference"),
    (Field::ValiditySeconds, "validity_seconds"),
    (Field::Encoding, "encoding"),
    (Field::Username, "username"),
    (Field::Password, "password"),
    (Field::ReceiptsSecret, "receipts_secret"),
];

/// What is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{` and no known name and `}`.
    #[error(
        "a placeholder is one of {{to}} {{to_digits}} {{from}} {{text}} {{reference}} {{validity_seconds}} {{encoding}} {{username}} {{password}} {{receipts_secret}}; a brace is written twice"
    )]
    Placeholder,
    /// Not a URL of HTTP, or one that has a placeholder or a credential where the server's name is.
    #[error("a URL begins with http:// or https:// and a fixed host, without credentials or a fragment")]
    Url,
    /// In the path of a URL, `..` would lead out of it.
    #[error("the path of a URL has no place but for {{to}}, {{to_digits}}, {{reference}}, {{username}}")]
    Path,
    /// A header line has room for what is known at the start, and the reference.
    #[error("a header has no place but for {{username}}, {{password}}, {{reference}}")]
    Header,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(Field),
}

/// A text with places.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

/// Says which fields it has; the rest may be a secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                literal.extend(brace.chars().next());
                rest = after;
                continue;
            }
            let (name, after) = brace
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .ok_or(TemplateError::Placeholder)?;
            let (field, _) =
                NAMES.iter().find(|(_, known)| *known == name).ok_or(TemplateError::Placeholder)?;
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Field(*field));
            rest = after;
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        Ok(Self(pieces))
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}

/// The values of one message.
pub(crate) struct Values<'a> {
    pub(crate) to: &'a str,
    pub(crate) to_digits: &'a str,
    pub(crate) from: &'a str,
    pub(crate) text: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) validity_seconds: u64,
    pub(crate) encoding: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) receipts_secret: &'a str,
}

impl Values<'_> {
    fn write(&self, field: Field, out: &mut String) {
        out.push_str(match field {
            Field::To => self.to,
            Field::ToDigits => self.to_digits,
            Field::From => self.from,
            Field::Text => self.text,
            Field::Reference => self.reference,
            Field::ValiditySeconds => return out.push_str(&self.validity_seconds.to_string()),
            Field::Encoding => self.encoding,
            Field::Username => self.username,
            Field::Password => self.password,
            Field::ReceiptsSecret => self.receipts_secret,
        });
    }
}

impl Template {
    fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(*field),
            Piece::Literal(_) => None,
        })
    }

    /// Puts the values in as they are, for what is encoded afterwards.
    pub(crate) fn fill(&self, values: &Values<'_>) -> String {
        self.render(values, |value, out| out.push_str(value))
    }

    fn render(&self, values: &Values<'_>, escape: impl Fn(&str, &mut String)) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Field(field) => {
                    let mut value = String::new();
                    values.write(*field, &mut value);
                    escape(&value, &mut out);
                }
            }
        }
        out
    }

    /// Checks that it can be the value of a header line.
    ///
    /// # Errors
    /// [`TemplateError::Header`].
    pub(crate) fn check_header(&self) -> Result<(), TemplateError> {
        let fits = |field| matches!(field, Field::Username | Field::Password | Field::Reference);
        if self.fields().all(fits) { Ok(()) } else { Err(TemplateError::Header) }
    }
}

/// A URL with places in its path and query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct UrlTemplate(Template);

impl FromStr for UrlTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let template: Template = text.parse()?;
        let Some(Piece::Literal(head)) = template.0.first() else { return Err(TemplateError::Url) };
        let (_, after) = head.split_once("://").ok_or(TemplateError::Url)?;
        // Before the first place: all of the host, or nothing comes behind it.
        if !after.contains('/') && template.0.len() > 1 {
            return Err(TemplateError::Url);
        }
        let fixed = head.parse::<Url>().map_err(|_| TemplateError::Url)?;
        let bare = fixed.username().is_empty() && fixed.password().is_none();
        if !matches!(fixed.scheme(), "http" | "https") || !fixed.has_host() || !bare || text.contains('#') {
            return Err(TemplateError::Url);
        }
        let is_query = |piece: &&Piece| matches!(piece, Piece::Literal(text) if text.contains('?'));
        let mut path = template.0.iter().take_while(|piece| !is_query(piece));
        let fits = |field| matches!(field, Field::To | Field::ToDigits | Field::Reference | Field::Username);
        if path.any(|piece| matches!(piece, Piece::Field(field) if !fits(*field))) {
            return Err(TemplateError::Path);
        }
        Ok(Self(template))
    }
}

impl TryFrom<String> for UrlTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}

impl UrlTemplate {
    /// Tells where requests go: scheme, host and port, and nothing behind them.
    pub fn origin(&self) -> Option<Url> {
        let Some(Piece::Literal(head)) = self.0.0.first() else { return None };
        let mut origin = head.parse::<Url>().ok()?;
        origin.set_path("");
        origin.set_query(None);
        Some(origin)
    }

    /// Tells whether it needs TLS.
    pub(crate) fn needs_tls(&self) -> bool {
        matches!(self.0.0.first(), Some(Piece::Literal(head)) if head.starts_with("https:"))
    }

    /// Puts the values in, percent-encoded.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Option<Url> {
        let encode = |value: &str, out: &mut String| out.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        self.0.render(values, encode).parse().ok()
    }
}

#[cfg(test)]
mod tests;
