//! What a producer may put on `send-sms`, and what must come of it: rows of the contract's tables. Knows neither the
//! gateway nor the bus, so that any test with a bus can run it.

use std::collections::BTreeMap;

use common::crypto::sms_envelope::{SealingKey, encode_payload, seal_v1};
use serde_json::{Map, Value, json};

/// Clients: one that loops back, one with an SMSC, one that may send but has no key, one that may not.
pub(crate) const TEST: &str = "test";
pub(crate) const ACME: &str = "acme";
pub(crate) const KEYLESS: &str = "keyless";
pub(crate) const STRANGER: &str = "stranger";

pub(crate) const FAR: &str = "2100-01-01T00:00:00Z";
pub(crate) const PAST: &str = "2001-01-01T00:00:00Z";

/// A status that is wanted: its name, and whether it has an `error-text`.
pub(crate) type Wanted = (&'static str, bool);

/// What must come of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// These statuses, in this order, and no more.
    Statuses(Vec<Wanted>),
    /// The record itself, on the topic of dead letters.
    DeadLetter,
}

/// One record.
pub(crate) struct Case {
    /// Its correl-id, and the case's name.
    pub(crate) name: String,
    /// The record's value.
    pub(crate) value: Option<Vec<u8>>,
    /// What must come of it.
    pub(crate) outcome: Outcome,
}

/// Makes requests.
pub(crate) struct Maker {
    /// Public keys by client.
    pub(crate) keys: BTreeMap<&'static str, SealingKey>,
}

impl Maker {
    /// Seals a message.
    pub(crate) fn seal(&self, client: &str, message: &str) -> String {
        encode_payload(&seal_v1(&self.keys[client], message.as_bytes()).unwrap())
    }

    /// A complete request for `message`, to be changed.
    pub(crate) fn request(&self, client: &'static str, correl: &str, message: &str) -> Map<String, Value> {
        let key = if self.keys.contains_key(client) { client } else { TEST };
        let request = json!({
            "client-id": client, "correl-id": correl, "deadline": FAR, "payload": self.seal(key, message),
        });
        request.as_object().unwrap().clone()
    }
}

pub(crate) fn message(body: &str) -> String {
    format!("To: +255123456789\nSender: TEST\n\n{body}")
}

fn case(request: Map<String, Value>, wanted: &[Wanted]) -> Case {
    Case {
        name: request["correl-id"].as_str().unwrap().to_owned(),
        value: Some(serde_json::to_vec(&request).unwrap()),
        outcome: Outcome::Statuses(wanted.to_vec()),
    }
}

/// The loop-back table (spec §10).
pub(crate) fn loopback(maker: &Maker) -> Vec<Case> {
    const SENT: Wanted = ("SENT", false);
    const DELIVERED: Wanted = ("DELIVERED", false);
    let rows: [(&str, &[Wanted]); 14] = [
        ("S0D0", &[]),
        ("S0D1", &[DELIVERED]),
        ("S1D0", &[SENT]),
        ("S0X1", &[("EXPIRED", true)]),
        ("S0I1", &[("INVALID", true)]),
        ("S1X1", &[SENT, ("EXPIRED", true)]),
        ("S1I1", &[SENT, ("INVALID", true)]),
        ("S1D1", &[SENT, DELIVERED]),
        ("S2D0", &[SENT, SENT]),
        ("D1S1", &[DELIVERED, SENT]),
        ("S1F1", &[SENT, ("FAILED", true)]),
        ("F1S1", &[("FAILED", true), SENT]),
        ("FAIL", &[("FAILED", true)]),
        ("plain", &[SENT, DELIVERED]),
    ];
    rows.into_iter()
        .map(|(marker, wanted)| {
            let text = message(&format!("This is {marker}!"));
            case(maker.request(TEST, &format!("loop-{marker}"), &text), wanted)
        })
        // Only recipient and text are asked of this client; blanks are a text.
        .chain([case(maker.request(TEST, "loop-bare", "To: +1\n\n "), &[SENT, DELIVERED])])
        .collect()
}

/// The order of the checks (spec §4.1).
pub(crate) fn checks(maker: &Maker) -> Vec<Case> {
    let mut cases = unanswerable();
    cases.extend(envelope_free(maker));
    cases.extend(sealed(maker));
    cases
}

/// Rows 1 to 3, and what is as bad: nobody can be told.
fn unanswerable() -> Vec<Case> {
    let dead = |name: &str, value: Option<&[u8]>| Case {
        name: name.into(),
        value: value.map(<[u8]>::to_vec),
        outcome: Outcome::DeadLetter,
    };
    vec![
        dead("no-value", None),
        dead("empty", Some(b"")),
        dead("not-json", Some(b"garbage \x07")),
        dead("not-an-object", Some(br#"["client-id"]"#)),
        dead("no-client", Some(br#"{"correl-id":"c","deadline":"2100-01-01T00:00:00Z","payload":"x"}"#)),
        dead("null-client", Some(br#"{"client-id":null,"correl-id":"c"}"#)),
        dead("no-correl", Some(br#"{"client-id":"test","deadline":"2100-01-01T00:00:00Z"}"#)),
        dead("composite", Some(br#"{"client-id":"test","correl-id":{"a":1}}"#)),
        dead("bad-utf8", Some(b"{\"client-id\":\"test\",\"correl-id\":\"\xff\"}")),
        dead("nul", Some(br#"{"client-id":"test","correl-id":"a\u0000b"}"#)),
    ]
}

/// Rows 4 to 8: told without opening anything.
fn envelope_free(maker: &Maker) -> Vec<Case> {
    const INVALID: &[Wanted] = &[("INVALID", true)];
    const EXPIRED: &[Wanted] = &[("EXPIRED", false)];
    let changed = |name: &str, changes: &[(&str, Option<&str>)], wanted: &[Wanted]| {
        let mut request = maker.request(TEST, name, &message("S1D1"));
        for (field, value) in changes {
            match value {
                Some(value) => request.insert((*field).into(), (*value).into()),
                None => request.remove(*field),
            };
        }
        case(request, wanted)
    };
    let mut cases = vec![
        changed("nul-deadline", &[("deadline", Some("\0"))], INVALID),
        changed("nul-payload", &[("payload", Some("\0"))], INVALID),
        changed("nul-class", &[("class", Some("\0"))], INVALID),
        changed("stranger", &[("client-id", Some(STRANGER))], INVALID),
        changed("stranger-too-late", &[("client-id", Some(STRANGER)), ("deadline", Some(PAST))], INVALID),
        changed("empty-client", &[("client-id", Some(""))], INVALID),
        changed("client-in-capitals", &[("client-id", Some("TEST"))], INVALID),
        changed("no-payload", &[("payload", None)], INVALID),
        changed("no-deadline", &[("deadline", None)], INVALID),
        changed("too-late", &[("deadline", Some(PAST))], EXPIRED),
        changed("too-late-and-no-base64", &[("deadline", Some(PAST)), ("payload", Some("?"))], EXPIRED),
        changed("too-late-and-no-payload", &[("deadline", Some(PAST)), ("payload", None)], INVALID),
        changed("unknown-field", &[("priority", Some("high"))], &[("SENT", false), ("DELIVERED", false)]),
    ];
    for (index, text) in ["2100-01-01T00:00:00", "2100-01-01", "2100-01-01 00:00:00Z", "4102444800", ""]
        .into_iter()
        .enumerate()
    {
        cases.push(changed(&format!("deadline-{index}"), &[("deadline", Some(text))], INVALID));
    }
    cases
}

/// Rows 9 to 17: told by what is in the payload.
fn sealed(maker: &Maker) -> Vec<Case> {
    const INVALID: &[Wanted] = &[("INVALID", true)];
    let payload = |name: &str, payload: String| {
        let mut request = maker.request(ACME, name, &message("hello"));
        request.insert("payload".into(), payload.into());
        case(request, INVALID)
    };
    let good = maker.seal(ACME, &message("hello"));
    let mut cases = vec![
        payload("base64-line-end", format!("{}\n{}", &good[..8], &good[8..])),
        payload("base64-foreign", format!("*{good}")),
        payload("magic", encode_payload(b"not an envelope at all")),
        payload("short", good[..40].to_owned()),
        payload("nothing", String::new()),
        payload("wrong-key", maker.seal(TEST, &message("hello"))),
        payload("cut-off", good[..good.len() - 8].to_owned()),
        case(maker.request(KEYLESS, "keyless", &message("hello")), INVALID),
    ];
    let long = "x".repeat(255 * 153 + 1);
    for (name, text) in [
        ("grammar", "no header here".to_owned()),
        ("no-empty-line", "To: +255123456789".to_owned()),
        ("no-recipient", "Sender: TEST\n\nhello".to_owned()),
        ("recipient-case", "to: +255123456789\nSender: TEST\n\nhello".to_owned()),
        ("national", "To: 0712345678\nSender: TEST\n\nhello".to_owned()),
        ("no-number", "To: +25512345678x\nSender: TEST\n\nhello".to_owned()),
        ("no-text", "To: +255123456789\nSender: TEST\n\n".to_owned()),
        ("not-listed", "To: +999123456789\nSender: TEST\n\nhello".to_owned()),
        ("too-short", "To: +255\nSender: TEST\n\nhello".to_owned()),
        ("no-sender", "To: +255123456789\n\nhello".to_owned()),
        ("sender-too-long", "To: +255123456789\nSender: TWELVE CHARS\n\nhello".to_owned()),
        ("blank", message(" \t ")),
        ("too-many-segments", message(&long)),
    ] {
        cases.push(case(maker.request(ACME, name, &text), INVALID));
    }
    cases
}
