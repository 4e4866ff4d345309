//! What the settings say about answers: which of them count as what, and where in them an id stands.

mod statuses;

use regex::Regex;
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::Value;

use super::Answer;
use super::answer::message_id;
pub use statuses::Statuses;

/// A place in a JSON document (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

/// What is no pointer.
#[derive(Debug, thiserror::Error)]
#[error("a JSON pointer is empty or begins with /")]
pub struct BadPointer;

impl TryFrom<String> for Pointer {
    type Error = BadPointer;

    fn try_from(text: String) -> Result<Self, BadPointer> {
        if text.is_empty() || text.starts_with('/') { Ok(Self(text)) } else { Err(BadPointer) }
    }
}

impl Pointer {
    /// Reads the text, number or truth value that stands there.
    pub(crate) fn read(&self, document: &Value) -> Option<String> {
        match document.pointer(&self.0)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A regular expression, which takes time in proportion to what it is tried on.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

/// Which answers count: those with one of these statuses, and with this in the body if anything is asked of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The HTTP statuses.
    pub statuses: Vec<Statuses>,
    /// Where to look in a JSON body; the whole body is looked at when not given.
    pub pointer: Option<Pointer>,
    /// What must stand there, exactly.
    pub equals: Option<String>,
    /// What must be found there.
    pub regex: Option<Pattern>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { statuses: vec![Statuses::between(200, 299)], pointer: None, equals: None, regex: None }
    }
}

impl Rule {
    /// Makes one that asks for statuses alone.
    pub(crate) fn statuses(first: u16, last: u16) -> Self {
        Self { statuses: vec![Statuses::between(first, last)], ..Self::default() }
    }

    /// Tells whether an answer counts.
    pub(crate) fn fits(&self, answer: &Read<'_>) -> bool {
        let Self { statuses, pointer, equals, regex } = self;
        if !statuses.iter().any(|range| range.holds(answer.answer.status)) {
            return false;
        }
        if pointer.is_none() && equals.is_none() && regex.is_none() {
            return true;
        }
        let found = match pointer {
            Some(pointer) => answer.document.as_ref().and_then(|document| pointer.read(document)),
            None => answer.text.clone(),
        };
        found.is_some_and(|found| {
            equals.as_ref().is_none_or(|wanted| *wanted == found)
                && regex.as_ref().is_none_or(|Pattern(regex)| regex.is_match(&found))
        })
    }
}

/// Where an answer has the message's id: one of the four.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdPlace {
    /// In a JSON body.
    pub pointer: Option<Pointer>,
    /// In a header field.
    pub header: Option<String>,
    /// In the body: what the first group of an expression catches, or all of it.
    pub regex: Option<Pattern>,
    /// Nowhere: it is the `{reference}`, which the provider was given and repeats in its receipts.
    pub reference: bool,
}

impl IdPlace {
    /// Tells whether it is one place.
    pub(crate) fn is_one(&self) -> bool {
        let Self { pointer, header, regex, reference } = self;
        let header_fits = header.as_ref().is_none_or(|name| name.parse::<HeaderName>().is_ok());
        let places = [pointer.is_some(), header.is_some(), regex.is_some(), *reference];
        places.into_iter().filter(|given| *given).count() == 1 && header_fits
    }

    /// Finds the id of a message that had this `reference`.
    pub(crate) fn find(&self, answer: &Read<'_>, reference: &str) -> Option<String> {
        if self.reference {
            return message_id(reference);
        }
        if let Some(pointer) = &self.pointer {
            return message_id(&pointer.read(answer.document.as_ref()?)?);
        }
        if let Some(name) = &self.header {
            return message_id(answer.answer.headers.get(name.as_str())?.to_str().ok()?);
        }
        let Pattern(regex) = self.regex.as_ref()?;
        let caught = regex.captures(answer.text.as_deref()?)?;
        message_id(caught.get(1).or_else(|| caught.get(0))?.as_str())
    }
}

/// An answer whose body has been read in both ways.
pub(crate) struct Read<'a> {
    answer: &'a Answer,
    text: Option<String>,
    document: Option<Value>,
}

impl<'a> Read<'a> {
    /// Reads it.
    pub(crate) fn new(answer: &'a Answer) -> Self {
        let document = answer.body.as_deref().and_then(|body| serde_json::from_slice(body).ok());
        Self { answer, text: answer.text().map(|text| text.into_owned()), document }
    }

    /// Gives what stands at places of a JSON body.
    pub(crate) fn all(&self, pointers: &[Pointer]) -> Vec<String> {
        let document = self.document.as_ref();
        pointers.iter().filter_map(|pointer| pointer.read(document?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let headers = HeaderMap::from_iter([("x-id".parse().unwrap(), "h1".parse().unwrap())]);
        Answer { status, headers, body: Some(body.into()) }
    }

    fn rule(json: Value) -> Rule {
        serde_json::from_value(json).unwrap()
    }

    fn place(json: Value) -> IdPlace {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_rule_asks_for_status_and_body() {
        let body = r#"{"messages":[{"status":"0","n":7}]}"#;
        let fits = |json, status, body: &str| rule(json).fits(&Read::new(&answer(status, body)));

        assert!(fits(serde_json::json!({}), 204, ""));
        assert!(!fits(serde_json::json!({}), 404, ""));
        let pointer = serde_json::json!({ "pointer": "/messages/0/status", "equals": "0" });
        assert!(fits(pointer.clone(), 200, body));
        assert!(!fits(pointer.clone(), 200, "{}") && !fits(pointer, 200, "no json"));
        assert!(fits(serde_json::json!({ "pointer": "/messages/0/n", "regex": "^[1-9]$" }), 200, body));
        assert!(!fits(serde_json::json!({ "pointer": "/messages" }), 200, body));
        assert!(fits(serde_json::json!({ "statuses": ["202"], "regex": "^[03]: " }), 202, "0: Accepted"));
        assert!(!fits(serde_json::json!({ "statuses": ["202"], "regex": "^[03]: " }), 202, "1: No"));
    }

    #[test]
    fn a_body_that_did_not_come_fits_only_what_asks_for_none() {
        let lost = Answer { status: 200, headers: HeaderMap::new(), body: None };

        assert!(rule(serde_json::json!({})).fits(&Read::new(&lost)));
        assert!(!rule(serde_json::json!({ "regex": "" })).fits(&Read::new(&lost)));
    }

    #[test]
    fn an_id_stands_in_one_place() {
        let answer = answer(200, r#"{"sid":"SM1","n":18446744073709551615}"#);
        let find = |json| place(json).find(&Read::new(&answer), "ref");

        assert_eq!(find(serde_json::json!({ "pointer": "/sid" })).as_deref(), Some("SM1"));
        assert_eq!(find(serde_json::json!({ "pointer": "/n" })).as_deref(), Some("18446744073709551615"));
        assert_eq!(find(serde_json::json!({ "header": "X-Id" })).as_deref(), Some("h1"));
        assert_eq!(find(serde_json::json!({ "regex": "\"sid\":\"(\\w+)\"" })).as_deref(), Some("SM1"));
        assert_eq!(find(serde_json::json!({ "regex": "SM\\d" })).as_deref(), Some("SM1"));
        assert_eq!(find(serde_json::json!({ "reference": true })).as_deref(), Some("ref"));
        assert_eq!(find(serde_json::json!({ "pointer": "/none" })), None);
        assert!(place(serde_json::json!({ "header": "x-id" })).is_one());
        for bad in [
            serde_json::json!({}),
            serde_json::json!({ "header": "x", "pointer": "/a" }),
            serde_json::json!({ "header": "a b" }),
        ] {
            assert!(!place(bad).is_one());
        }
    }
}
