//! Templates, and that nothing breaks out of its place.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn values<'a>(from: &'a str, text: &'a str) -> Values<'a> {
    Values {
        to: "+255123456789",
        to_digits: "255123456789",
        from,
        text,
        reference: "0192-ab",
        validity_seconds: 60,
        encoding: "unicode",
        username: "user",
        password: "p&ss",
        receipts_secret: "receipts",
    }
}

#[test]
fn placeholders_are_filled_and_doubled_braces_are_braces() {
    let template: Template = "{{{to}}} {from}:{text}{reference}".parse().unwrap();

    assert_eq!(template.fill(&values("ME", "hi {to}")), "{+255123456789} ME:hi {to}0192-ab");
}

#[test]
fn what_is_no_placeholder_is_refused() {
    for text in ["{", "}", "{to", "{}", "{number}", "{ to }", "a}b", "{{to}"] {
        assert_eq!(text.parse::<Template>().err(), Some(TemplateError::Placeholder), "{text}");
    }
}

#[test]
fn debug_shows_no_literal() {
    let template: Template = "Bearer hunter2 {to}".parse().unwrap();

    assert_eq!(format!("{template:?}"), "[To]");
}

#[test]
fn a_url_has_a_fixed_server_and_texts_in_its_query_only() {
    for good in [
        "https://example.org/send",
        "http://127.0.0.1:13013/cgi-bin/sendsms?to={to}&text={text}",
        "https://example.org/{username}/messages/{to_digits}?from={from}",
        "https://example.org",
    ] {
        assert!(good.parse::<UrlTemplate>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "example.org/send",
        "ftp://example.org/",
        "https://{to}/",
        "https://example.{to}/",
        "https://example.org{text}",
        "https://user:secret@example.org/",
        "https://example.org/#{text}",
        "{to}",
    ] {
        assert_eq!(bad.parse::<UrlTemplate>().err(), Some(TemplateError::Url), "{bad}");
    }
    for bad in [
        "https://example.org/{text}",
        "https://example.org/a/{from}/b?to={to}",
        "https://example.org/{password}",
    ] {
        assert_eq!(bad.parse::<UrlTemplate>().err(), Some(TemplateError::Path), "{bad}");
    }
}

#[test]
fn a_json_document_keeps_its_form() {
    let template = JsonTemplate::try_from(json!({
        "ttl": "{validity_seconds}", "within": "{validity_seconds}s", "n": 1, "flag": true, "none": null,
        "to": ["{to_digits}"], "message": { "body": "{text}" },
    }))
    .unwrap();

    assert_eq!(
        template.fill(&values("ME", "say \"hi\"")),
        json!({
            "ttl": 60, "within": "60s", "n": 1, "flag": true, "none": null,
            "to": ["255123456789"], "message": { "body": "say \"hi\"" },
        })
    );
    assert!(JsonTemplate::try_from(json!({ "a": ["{what}"] })).is_err());
}

#[test]
fn a_header_has_no_place_for_what_a_message_says() {
    let check = |text: &str| text.parse::<Template>().unwrap().check_header();

    assert_eq!(check("Bearer {password} {username} {reference}"), Ok(()));
    for bad in ["{text}", "{from}", "{to}", "{to_digits}"] {
        assert_eq!(check(bad), Err(TemplateError::Header), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_leaves_its_place_in_a_url(from in any::<String>(), text in any::<String>()) {
        let template: UrlTemplate =
            "https://example.org:8443/{username}/send?a=1&from={from}&text=x{text}y&z={to}".parse().unwrap();

        let url = template.fill(&values(&from, &text)).unwrap();

        prop_assert_eq!(url.origin().ascii_serialization(), "https://example.org:8443");
        prop_assert_eq!((url.path(), url.fragment()), ("/user/send", None));
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        prop_assert_eq!(
            pairs,
            vec![pair("a", "1"), pair("from", &from), pair("text", &format!("x{text}y")), pair("z", "+255123456789")]
        );
    }

    #[test]
    fn no_text_leaves_its_place_in_json(from in any::<String>(), text in any::<String>()) {
        let template = JsonTemplate::try_from(json!({ "f": "{from}", "t": ["<{text}>"], "z": 1 })).unwrap();

        let written = serde_json::to_string(&template.fill(&values(&from, &text))).unwrap();

        let read: Value = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(read, json!({ "f": from, "t": [format!("<{text}>")], "z": 1 }));
    }

    #[test]
    fn any_text_is_a_template_or_refused(text in any::<String>()) {
        let _ = text.parse::<Template>();
        let _ = text.parse::<UrlTemplate>();
    }
}
