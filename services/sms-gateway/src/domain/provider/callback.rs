//! Receipts that a provider brings by calling us: fields of a query, a form or a JSON document, and what they mean.

use std::borrow::Cow;
use std::collections::BTreeMap;

use common::crypto::Secret;
use serde::Deserialize;
use serde_json::Value;
use sms::receipt::ReceiptState;
use url::form_urlencoded;

use super::answer::message_id;
use super::rule::Pointer;
use crate::domain::receipt::Fate;

/// Shorter secrets can be guessed.
const SHORTEST_SECRET: usize = 16;

/// What a provider's word for a state means (SMPP 3.4 §5.2.28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptWord {
    /// On its way: nothing is decided.
    Enroute,
    /// Delivered.
    Delivered,
    /// Not delivered in time.
    Expired,
    /// Deleted.
    Deleted,
    /// Cannot be delivered.
    Undeliverable,
    /// Rejected: the request's fault.
    Rejected,
    /// The provider does not know.
    Unknown,
}

impl ReceiptWord {
    fn state(self) -> ReceiptState {
        match self {
            Self::Enroute => ReceiptState::Enroute,
            Self::Delivered => ReceiptState::Delivered,
            Self::Expired => ReceiptState::Expired,
            Self::Deleted => ReceiptState::Deleted,
            Self::Undeliverable => ReceiptState::Undeliverable,
            Self::Rejected => ReceiptState::Rejected,
            Self::Unknown => ReceiptState::Unknown,
        }
    }
}

/// Receipts that a provider brings. A field is a name in query, form or JSON document, or a JSON pointer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpReceipts {
    /// What the provider shows, 16 characters at least: as the last segment of the path, or in `header`.
    pub secret: Secret<String>,
    /// The header field whose whole value the secret is. Then the path does not end with it.
    pub header: Option<String>,
    /// Field with the message's id.
    pub id: String,
    /// Field with the state.
    pub status: String,
    /// Field with an error code.
    pub error: Option<String>,
    /// Field with the recipient's number, by which a receipt finds a message whose outcome is unknown.
    pub to: Option<String>,
    /// What the provider's words for states mean. Receipts with any other are acknowledged and passed over.
    pub states: BTreeMap<String, ReceiptWord>,
}

/// What a call says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// A receipt.
    Receipt {
        /// The id of its message.
        message_id: String,
        /// What became of it.
        fate: Fate,
        /// The recipient's number as it came.
        number: Option<String>,
    },
    /// A state that means nothing to us.
    Other,
}

impl HttpReceipts {
    /// Finds what the types cannot express.
    pub(crate) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        for (fits, place, what) in [
            (
                self.header.is_some() || self.secret.expose().bytes().all(plain),
                "receipts.secret",
                "has letters, digits, - and _ only, as it is in a path",
            ),
            (self.secret.expose().len() >= SHORTEST_SECRET, "receipts.secret", "has at least 16 characters"),
            (!self.id.is_empty(), "receipts.id", "is missing"),
            (!self.status.is_empty(), "receipts.status", "is missing"),
            (!self.states.is_empty(), "receipts.states", "must not be empty"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
    }

    /// Reads a call; `None` when it lacks id or state.
    pub(crate) fn read(&self, call: &Call<'_>) -> Option<Called> {
        let message_id = message_id(&call.field(&self.id)?)?;
        let status = call.field(&self.status)?;
        let Some(word) = self.states.get(status.trim()) else { return Some(Called::Other) };
        let error = self.error.as_ref().and_then(|name| call.field(name)).filter(|code| is_error(code));
        let number = self.to.as_ref().and_then(|name| call.field(name));
        Some(Called::Receipt { message_id, fate: Fate::of(word.state(), error.as_deref()), number })
    }
}

/// Zeros say that there is none, as in the receipts of SMSCs.
fn is_error(code: &str) -> bool {
    !code.bytes().all(|octet| octet == b'0')
}

/// A call, as far as it matters.
pub(crate) struct Call<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    document: Option<Value>,
}

impl<'a> Call<'a> {
    /// Reads query and body. A body that begins with a brace is JSON, and any other a form, whatever it is called.
    pub(crate) fn new(query: &'a str, body: &'a [u8]) -> Self {
        let document = serde_json::from_slice(body).ok().filter(Value::is_object);
        let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        if document.is_none() {
            pairs.extend(form_urlencoded::parse(body));
        }
        Self { pairs, document }
    }

    fn field(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.pairs.iter().find(|(known, _)| known == name) {
            return Some(value.clone().into_owned());
        }
        let pointer = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        Pointer::try_from(pointer).ok()?.read(self.document.as_ref()?)
    }
}

#[cfg(test)]
mod tests {
    use common::models::sms::SmsState;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn receipts() -> HttpReceipts {
        serde_json::from_value(json!({
            "secret": "0123456789abcdef", "id": "MessageSid", "status": "MessageStatus", "error": "ErrorCode",
            "to": "To", "states": { "delivered": "delivered", "undelivered": "undeliverable", "sent": "enroute" },
        }))
        .unwrap()
    }

    fn read(query: &str, body: &str) -> Option<Called> {
        receipts().read(&Call::new(query, body.as_bytes()))
    }

    fn fate(called: Option<Called>) -> (String, Option<SmsState>, Option<String>) {
        match called {
            Some(Called::Receipt { message_id, fate, .. }) => {
                (message_id, fate.state(), fate.text().map(str::to_owned))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn query_form_and_json_say_the_same() {
        let wanted =
            ("SM1".to_owned(), Some(SmsState::Failed), Some("undeliverable, error 30003".to_owned()));

        for (query, body) in [
            ("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003", ""),
            ("", "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003"),
            ("MessageSid=SM1", r#"{"MessageStatus":"undelivered","ErrorCode":30003}"#),
        ] {
            assert_eq!(fate(read(query, body)), wanted, "{query} {body}");
        }
    }

    #[test]
    fn a_field_may_be_deep_in_a_document() {
        let receipts =
            HttpReceipts { id: "/results/0/id".into(), status: "/results/0/s".into(), ..receipts() };
        let body = r#"{"results":[{"id":17,"s":"delivered"}]}"#;

        let called = receipts.read(&Call::new("", body.as_bytes()));

        assert_eq!(fate(called), ("17".to_owned(), Some(SmsState::Delivered), None));
    }

    #[test]
    fn words_that_decide_nothing_publish_nothing_and_others_are_passed_over() {
        assert_eq!(fate(read("MessageSid=1&MessageStatus=sent&ErrorCode=000", "")).1, None);
        assert_eq!(read("MessageSid=1&MessageStatus=sending", ""), Some(Called::Other));
        assert_eq!(read("MessageSid=1", ""), None);
        assert_eq!(read("MessageStatus=delivered", ""), None);
        assert_eq!(read("MessageSid=&MessageStatus=delivered", ""), None);
    }

    #[test]
    fn an_error_that_is_no_code_stays_out_of_the_text() {
        let told = fate(read("MessageSid=1&MessageStatus=undelivered&ErrorCode=your+text+was+hello", ""));

        assert_eq!(told.2.as_deref(), Some("undeliverable"));
    }

    proptest! {
        #[test]
        fn whatever_a_call_says_its_id_fits_the_tables(query in "(MessageSid=\\PC{0,10}&MessageStatus=sent)?\\PC{0,60}", body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let called = receipts().read(&Call::new(&query, &body));

            if let Some(Called::Receipt { message_id, .. }) = called {
                prop_assert!((1..=255).contains(&message_id.chars().count()) && !message_id.contains('\0'));
            }
        }
    }
}
