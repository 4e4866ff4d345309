//! A provider that the settings describe: how a request is made, and what of an answer means what.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::Secret;
use common::models::UnixMillis;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sms::gsm7::encode_char;
use url::form_urlencoded::Serializer;

use super::answer::Answer;
use super::rule::{IdPlace, Pointer, Read, Rule};
use super::template::{JsonTemplate, Template, UrlTemplate, Values};
use super::wording::Private;
use super::{Message, Request, Unwritable, Verdict};

/// What the body of a request is.
pub(crate) enum Body {
    /// Nothing.
    None,
    /// Pairs, `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// A document, `application/json`.
    Json(JsonTemplate),
}

/// One line of a request's head. No `Debug`: its value may be a secret.
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: Template,
    /// The value as the settings have it.
    pub(crate) source: Secret<String>,
}

/// The provider.
pub(crate) struct Generic {
    /// Its name in texts.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) url: UrlTemplate,
    pub(crate) username: String,
    pub(crate) password: Secret<String>,
    /// Whether the two go along as RFC 7617 has it.
    pub(crate) basic_auth: bool,
    pub(crate) headers: Vec<Header>,
    pub(crate) query: Vec<(String, Template)>,
    pub(crate) body: Body,
    /// The words for `{encoding}`: of a text that fits the alphabet of GSM, and of another.
    pub(crate) encodings: (String, String),
    /// The longest `{validity_seconds}`.
    pub(crate) validity_max: Duration,
    pub(crate) accepted: Vec<Rule>,
    pub(crate) throttled: Vec<Rule>,
    pub(crate) refused: Vec<Rule>,
    pub(crate) id: Option<IdPlace>,
    /// What of a refusal is told.
    pub(crate) detail: Vec<Pointer>,
    /// What the provider shows when it brings a receipt; empty when it brings none.
    pub(crate) receipts_secret: Secret<String>,
}

impl Generic {
    /// Writes the request for a message.
    ///
    /// # Errors
    /// [`Unwritable::Form`] when the settings lead to no URL or header.
    pub(crate) fn request(&self, message: &Message, now: UnixMillis) -> Result<Request, Unwritable> {
        let text = message.payload.text();
        let fits = text.chars().all(|character| encode_char(character).is_some());
        let left = (message.deadline - now).min(self.validity_max);
        let values = Values {
            to: message.to.as_str(),
            to_digits: message.to.digits(),
            from: message.sender(),
            text,
            reference: message.reference.as_str(),
            validity_seconds: left.as_secs().max(1),
            encoding: if fits { &self.encodings.0 } else { &self.encodings.1 },
            username: &self.username,
            password: self.password.expose(),
            receipts_secret: self.receipts_secret.expose(),
        };
        let mut url = self.url.fill(&values).ok_or(Unwritable::Form)?;
        if !self.query.is_empty() {
            let mut query = url.query_pairs_mut();
            for (name, value) in &self.query {
                query.append_pair(name, &value.fill(&values));
            }
        }
        let mut headers = HeaderMap::new();
        let body = match &self.body {
            Body::None => Vec::new(),
            Body::Form(pairs) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form);
                let mut body = Serializer::new(String::new());
                for (name, value) in pairs {
                    body.append_pair(name, &value.fill(&values));
                }
                body.finish().into_bytes()
            }
            Body::Json(document) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                document.fill(&values).to_string().into_bytes()
            }
        };
        if self.basic_auth {
            let pair = format!("{}:{}", self.username, self.password.expose());
            headers.insert(AUTHORIZATION, secret(&format!("Basic {}", STANDARD.encode(pair)))?);
        }
        for Header { name, value, .. } in &self.headers {
            headers.insert(name, secret(&value.fill(&values))?);
        }
        Ok(Request { method: self.method.clone(), url, headers, body })
    }

    /// Tells what an answer means: the first of throttled, accepted, refused that has a rule for it; else nobody knows.
    pub(crate) fn read(&self, answer: &Answer, message: &Message, now: UnixMillis) -> Verdict {
        let read = Read::new(answer);
        let any = |rules: &[Rule]| rules.iter().any(|rule| rule.fits(&read));
        if any(&self.throttled) {
            Verdict::Throttled { pause: answer.retry_after(now) }
        } else if any(&self.accepted) {
            Verdict::Accepted {
                message_id: self.id.as_ref().and_then(|place| place.find(&read, message.reference.as_str())),
            }
        } else if any(&self.refused) {
            Verdict::Refused { text: self.refusal(answer.status, &read.all(&self.detail), message) }
        } else {
            Verdict::Unknown { why: "an answer for which the settings have no rule" }
        }
    }

    fn refusal(&self, status: u16, remarks: &[String], message: &Message) -> String {
        let mut credentials =
            vec![self.username.as_str(), self.password.expose(), self.receipts_secret.expose()];
        credentials.extend(self.headers.iter().flat_map(|header| header.source.expose().split_whitespace()));
        let private = Private {
            texts: vec![message.payload.text(), message.sender()],
            numbers: vec![message.to.digits()],
            credentials,
        };
        let mut text = format!("{} refused the message: HTTP {status}", self.name);
        for remark in remarks.iter().filter_map(|remark| private.shown(remark)) {
            text.push_str(", ");
            text.push_str(&remark);
        }
        text
    }
}

/// Makes a header's value that no `Debug` shows.
fn secret(value: &str) -> Result<HeaderValue, Unwritable> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Unwritable::Form)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
