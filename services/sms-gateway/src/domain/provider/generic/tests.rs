//! Requests and answers of a described provider.

use common::crypto::sms_payload::SmsPayload;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::*;
use crate::settings::HttpSettings;

const NOW: UnixMillis = UnixMillis(1_000_000);
const TEXT: &str = "Your appointment is at 14:30.";

fn provider(settings: Value) -> Generic {
    let mut all = json!({
        "name": "acme-sms", "url": "https://example.org/send", "username": "user", "password": "hunter22",
        "form": { "a": "1", "text": "{text}", "z": "2" },
    });
    for (name, value) in settings.as_object().unwrap() {
        all[name] = value.clone();
    }
    let settings: HttpSettings = serde_json::from_value(all).unwrap();
    settings.provider().unwrap()
}

fn message(text: &str) -> Message {
    Message {
        to: "+255123456789".parse().unwrap(),
        payload: SmsPayload::new("+255123456789", Some("CLINIC"), text).unwrap(),
        reference: "0192-ab".into(),
        deadline: NOW + Duration::from_secs(90),
    }
}

fn written(settings: Value, text: &str) -> (Request, String) {
    let request = provider(settings).request(&message(text), NOW).unwrap();
    let body = String::from_utf8(request.body.clone()).unwrap();
    (request, body)
}

fn read(settings: Value, status: u16, body: &str) -> Verdict {
    let answer = Answer { status, headers: HeaderMap::new(), body: Some(body.into()) };
    provider(settings).read(&answer, &message(TEXT), NOW)
}

#[test]
fn a_form_is_encoded_and_named() {
    let (request, body) = written(json!({}), "a&z=3 é+");

    assert_eq!((request.method, request.url.as_str()), (Method::POST, "https://example.org/send"));
    assert_eq!(request.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(body, "a=1&text=a%26z%3D3+%C3%A9%2B&z=2");
}

#[test]
fn json_takes_the_place_of_a_form_and_query_goes_with_both() {
    let json = json!({ "form": {}, "json": { "t": "{text}", "ttl": "{validity_seconds}" }, "query": { "to": "{to}" } });

    let (request, body) = written(json, "say \"hi\"");

    assert_eq!(request.url.query(), Some("to=%2B255123456789"));
    assert_eq!(body, r#"{"t":"say \"hi\"","ttl":90}"#);
}

#[test]
fn credentials_are_marked_as_secret() {
    let headers = json!([{ "name": "X-Key", "value": "k {password}" }, { "name": "Idempotency-Key", "value": "{reference}" }]);

    let (request, _) = written(json!({ "basic_auth": true, "headers": headers }), TEXT);

    assert_eq!(request.headers[AUTHORIZATION], "Basic dXNlcjpodW50ZXIyMg==");
    assert_eq!(request.headers["x-key"], "k hunter22");
    assert_eq!(request.headers["idempotency-key"], "0192-ab");
    assert!(!format!("{:?}", request.headers).contains("hunter22"));
}

#[test]
fn the_encoding_is_told_in_the_providers_words() {
    let settings = json!({ "form": { "c": "{encoding}" }, "encodings": { "gsm": "0", "unicode": "2" } });

    assert_eq!(written(settings.clone(), "hello {€}").1, "c=0");
    assert_eq!(written(settings, "ж").1, "c=2");
}

#[test]
fn validity_is_limited_at_both_ends() {
    let seconds = |settings| written(settings, TEXT).1;
    let form = json!({ "v": "{validity_seconds}" });

    assert_eq!(seconds(json!({ "form": form })), "v=90");
    assert_eq!(seconds(json!({ "form": form, "validity_max": "30s" })), "v=30");
    let late = Message { deadline: NOW - Duration::from_secs(1), ..message(TEXT) };
    let request = provider(json!({ "form": form })).request(&late, NOW).unwrap();
    assert_eq!(request.body, b"v=1");
}

#[test]
fn statuses_decide_by_default() {
    for status in [200, 202, 204] {
        assert_eq!(read(json!({}), status, "?"), Verdict::Accepted { message_id: None }, "{status}");
    }
    assert_eq!(read(json!({}), 429, ""), Verdict::Throttled { pause: None });
    for status in [400, 401, 404, 422] {
        let text = format!("acme-sms refused the message: HTTP {status}");
        assert_eq!(read(json!({}), status, "?"), Verdict::Refused { text });
    }
    for status in [101, 301, 307, 500, 503] {
        assert!(matches!(read(json!({}), status, ""), Verdict::Unknown { .. }), "{status}");
    }
}

#[test]
fn rules_about_the_body_decide_where_they_are_given() {
    let settings = json!({
        "accepted": [{ "pointer": "/ok", "equals": "true" }],
        "throttled": [{ "pointer": "/code", "equals": "1" }],
        "refused": [{ "pointer": "/code", "regex": "^[2-9]$" }],
        "id": { "pointer": "/id" },
        "detail": ["/code", "/why"],
    });
    let read = |body| read(settings.clone(), 200, body);

    assert_eq!(read(r#"{"ok":true,"id":17}"#), Verdict::Accepted { message_id: Some("17".into()) });
    assert_eq!(read(r#"{"ok":true,"code":1}"#), Verdict::Throttled { pause: None });
    let text = "acme-sms refused the message: HTTP 200, 7, bad number +…".to_owned();
    assert_eq!(read(r#"{"code":"7","why":"bad number +255123456789"}"#), Verdict::Refused { text });
    for body in [r#"{"code":"12"}"#, "{}", "[]", "<html>", ""] {
        assert!(matches!(read(body), Verdict::Unknown { .. }), "{body}");
    }
}

#[test]
fn a_refusal_quotes_neither_message_nor_credential() {
    let settings = json!({
        "detail": ["/a", "/b", "/c", "/d"],
        "headers": [{ "name": "X-Key", "value": "Token abcdef" }],
    });
    let body = json!({ "a": TEXT, "b": "no hunter22", "c": "key ABCDEF is old", "d": "try later" });

    let verdict = read(settings, 400, &body.to_string());

    assert_eq!(
        verdict,
        Verdict::Refused { text: "acme-sms refused the message: HTTP 400, try later".into() }
    );
}

proptest! {
    #[test]
    fn no_text_leaves_its_place_in_a_form(text in "\\PC{1,60}[&=+%;#\\n]{0,5}") {
        let (_, body) = written(json!({}), &text);

        let pairs: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        prop_assert_eq!(pairs, vec![pair("a", "1"), pair("text", &text), pair("z", "2")]);
    }

    #[test]
    fn no_answer_makes_it_panic(
        status in 100_u16..600,
        body in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        nested in 0_usize..400,
    ) {
        let settings = json!({
            "accepted": [{ "pointer": "/a/0", "regex": "^a" }, { "regex": "b$" }],
            "id": { "regex": "(x+)+y" },
            "detail": ["/a", ""],
        });
        let provider = provider(settings);
        let deep = Some([b"[".repeat(nested), b"]".repeat(nested)].concat());
        for body in [body, deep] {
            let answer = Answer { status, headers: HeaderMap::new(), body };
            let _ = provider.read(&answer, &message(TEXT), NOW);
        }
    }

    #[test]
    fn what_no_rule_fits_is_unknown(status in 100_u16..600, body in "\\PC{0,40}") {
        let verdict = read(json!({ "accepted": [{ "equals": "impossible \u{1}" }], "throttled": [], "refused": [] }), status, &body);

        prop_assert!(matches!(verdict, Verdict::Unknown { .. }), "{:?}", verdict);
    }
}
