//! One provider over HTTP that the settings describe, `[[sms_gateway.http]]`.

mod provider;

use std::collections::BTreeMap;
use std::time::Duration;

use common::crypto::Secret;
use common::models::sms::SmscName;
use serde::Deserialize;

use super::connection::{Connection, Unreachable};
pub use crate::domain::provider::callback::{HttpReceipts, ReceiptWord};
pub use crate::domain::provider::rule::{IdPlace, Pattern, Pointer, Rule, Statuses};
pub use crate::domain::provider::template::{JsonTemplate, Template, UrlTemplate};

/// The methods of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// `POST`.
    #[default]
    Post,
    /// `GET`.
    Get,
    /// `PUT`.
    Put,
}

/// One line of the head of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value, which may hold `{username}`, `{password}` and `{reference}`.
    pub value: Secret<String>,
}

/// What `{encoding}` stands for.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encodings {
    /// Of a text whose characters are all in the alphabet of GSM 03.38.
    pub gsm: String,
    /// Of any other.
    pub unicode: String,
}

impl Default for Encodings {
    fn default() -> Self {
        Self { gsm: "gsm".into(), unicode: "unicode".into() }
    }
}

/// One such provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Its name in rows, logs and metrics; like that of an SMSC, and no other back end's.
    pub name: SmscName,
    /// The method of a request.
    pub method: HttpMethod,
    /// Where a request goes, with placeholders in path and query.
    pub url: Option<UrlTemplate>,
    /// The value of `{username}`.
    pub username: String,
    /// The value of `{password}`.
    pub password: Secret<String>,
    /// Whether the two go along in `Authorization: Basic` (RFC 7617).
    pub basic_auth: bool,
    /// More lines of the head.
    pub headers: Vec<HttpHeader>,
    /// Pairs that are added to the query of the URL.
    pub query: BTreeMap<String, Template>,
    /// The body as a form. Not together with `json`.
    pub form: BTreeMap<String, Template>,
    /// The body as JSON.
    pub json: Option<JsonTemplate>,
    /// The words that `{encoding}` stands for.
    pub encodings: Encodings,
    /// The longest `{validity_seconds}`.
    #[serde(with = "humantime_serde")]
    pub validity_max: Duration,
    /// Which answers say that the provider has the message; one rule is enough. They come after `throttled`.
    pub accepted: Vec<Rule>,
    /// Which say that it takes none for now. `Retry-After` is heeded.
    pub throttled: Vec<Rule>,
    /// Which say that it does not take this one. They come last; what no rule fits is an unknown outcome.
    pub refused: Vec<Rule>,
    /// Where an accepted answer has the message's id.
    pub id: Option<IdPlace>,
    /// What of a refused answer is told as error text; numbers and texts of the message are left out.
    pub detail: Vec<Pointer>,
    /// Receipts that the provider brings to `/v1/sms/receipts/NAME`; none: it brings none.
    pub receipts: Option<HttpReceipts>,
    /// Requests under way at once, at most.
    pub window: usize,
    /// Messages a second, at most; 0: no limit.
    pub tps: f64,
    /// Longest text: one for each character of GSM 03.38, two for each UTF-16 unit where one is not.
    pub max_text_octets: u16,
    /// What becomes of a message while the URL cannot be reached: `fail` or `wait`.
    pub unreachable: Unreachable,
    /// How it is reached.
    pub connection: Connection,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            name: "".into(),
            method: HttpMethod::default(),
            url: None,
            username: String::new(),
            password: Secret::default(),
            basic_auth: false,
            headers: Vec::new(),
            query: BTreeMap::new(),
            form: BTreeMap::new(),
            json: None,
            encodings: Encodings::default(),
            validity_max: Duration::from_secs(48 * 3600),
            accepted: vec![Rule::statuses(200, 299)],
            throttled: vec![Rule::statuses(429, 429)],
            refused: vec![Rule::statuses(400, 499)],
            id: None,
            detail: Vec::new(),
            receipts: None,
            window: 10,
            tps: 0.0,
            max_text_octets: u16::MAX,
            unreachable: Unreachable::Wait,
            connection: Connection::default(),
        }
    }
}

impl HttpSettings {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let bodies = usize::from(!self.form.is_empty()) + usize::from(self.json.is_some());
        for (fits, place, what) in [
            ((1..=64).contains(&self.name.as_str().len()), "name", "must have 1 to 64 characters"),
            (self.url.is_some(), "url", "is missing"),
            (bodies <= 1, "json", "does not go together with form"),
            (self.method != HttpMethod::Get || bodies == 0, "method", "GET has no body: query"),
            (!self.basic_auth || !self.username.is_empty(), "username", "is missing"),
            (
                self.id.as_ref().is_none_or(IdPlace::is_one),
                "id",
                "is one of pointer, header, regex, reference",
            ),
            (!self.accepted.is_empty(), "accepted", "must not be empty"),
            (self.validity_max >= Duration::from_secs(1), "validity_max", "must be 1s or above"),
            (self.window > 0, "window", "must be above 0"),
            (super::is_rate(self.tps), "tps", "must be 0 or above"),
            (self.max_text_octets > 0, "max_text_octets", "must be above 0"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
        for header in &self.headers {
            if let Err(what) = header.read() {
                fault("headers", &what);
            }
        }
        if let Some(receipts) = &self.receipts {
            receipts.faults(fault);
        }
        self.connection.faults(fault);
    }
}
