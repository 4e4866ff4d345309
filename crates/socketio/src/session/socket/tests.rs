use proptest::prelude::*;

use super::*;

const LIMITS: SocketLimits = SocketLimits { namespaces: 2, attachments: 2, packet_bytes: 100 };

type Session = SocketSession<&'static str>;

fn joined() -> Session {
    let mut session = Session::default();
    session.join("/".into(), "main");
    session
}

fn event(client: &'static str, name: &str, attachments: Vec<Bytes>) -> Step<&'static str> {
    let args = match attachments.len() {
        0 => "[]",
        1 => r#"[{"_placeholder":true,"num":0}]"#,
        _ => r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
    };
    Step::Event { client, id: None, name: name.to_owned(), args: Json::from_text(args).unwrap(), attachments }
}

#[test]
fn a_namespace_is_joined_with_credentials() {
    let mut session = Session::default();
    assert!(!session.has_joined());

    let step = session.text(r#"0/admin,{"token":"x"}"#, &LIMITS).unwrap();

    let auth = Some(Json::from_text(r#"{"token":"x"}"#).unwrap());
    assert_eq!(step, Step::Join { namespace: "/admin".to_owned(), auth });
    assert!(!session.has_joined(), "not before it is let in");
    session.join("/admin".into(), "admin");
    assert!(session.has_joined());
    assert_eq!(session.text(r#"2/admin,["x"]"#, &LIMITS).unwrap(), event("admin", "x", Vec::new()));
}

#[test]
fn namespaces_are_independent() {
    let mut session = joined();
    session.join("/custom".into(), "custom");

    assert_eq!(session.text(r#"2/custom,["x"]"#, &LIMITS).unwrap(), event("custom", "x", Vec::new()));
    assert_eq!(session.text("1/custom", &LIMITS).unwrap(), Step::Leave("custom"));
    assert_eq!(session.text(r#"2["y"]"#, &LIMITS).unwrap(), event("main", "y", Vec::new()));
    assert!(session.text(r#"2/custom,["x"]"#, &LIMITS).is_err());
}

#[test]
fn what_breaks_the_rules_ends_the_session() {
    for text in ["0", r#"4{"message":"no"}"#, r#"2/other,["x"]"#, "1/other", "3/other,1[]", "2{}", "abc"] {
        assert!(joined().text(text, &LIMITS).is_err(), "{text}");
    }
    for text in [r#"2["x"]"#, "1", "31[]"] {
        assert!(Session::default().text(text, &LIMITS).is_err(), "{text} before CONNECT");
    }
}

#[test]
fn attachments_are_put_to_their_event() {
    let mut session = joined();
    let text = r#"52-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    assert_eq!(session.text(text, &LIMITS).unwrap(), Step::None);
    assert_eq!(session.binary(Bytes::from_static(b"one"), &LIMITS).unwrap(), Step::None);
    let step = session.binary(Bytes::new(), &LIMITS).unwrap();

    assert_eq!(step, event("main", "x", vec![Bytes::from_static(b"one"), Bytes::new()]));
    assert_eq!(session.text(r#"2["y"]"#, &LIMITS).unwrap(), event("main", "y", Vec::new()));
}

#[test]
fn attachments_out_of_place_end_the_session() {
    let text = r#"51-["x",{"_placeholder":true,"num":0}]"#;

    assert!(joined().binary(Bytes::new(), &LIMITS).is_err(), "nothing was announced");

    let mut session = joined();
    session.text(text, &LIMITS).unwrap();
    assert!(session.text(r#"2["y"]"#, &LIMITS).is_err(), "a text between");

    let mut session = joined();
    session.text(text, &LIMITS).unwrap();
    assert!(session.binary(vec![0; 100].into(), &LIMITS).is_err(), "too much in all");

    assert!(joined().text(r#"53-["x"]"#, &LIMITS).is_err(), "too many");
}

#[test]
fn a_client_that_was_sent_away_is_passed_over_until_it_knows() {
    let mut session = joined();

    assert_eq!(session.leave("/"), Some("main"));
    assert_eq!(session.leave("/"), None);
    assert_eq!(session.text(r#"2["x"]"#, &LIMITS).unwrap(), Step::None);
    assert_eq!(session.text("31[]", &LIMITS).unwrap(), Step::None);

    assert_eq!(session.text("0", &LIMITS).unwrap(), Step::Join { namespace: "/".to_owned(), auth: None });
    session.join("/".into(), "again");
    assert_eq!(session.text(r#"2["x"]"#, &LIMITS).unwrap(), event("again", "x", Vec::new()));
    assert_eq!(session.drain(), ["again"]);

    session.leave("/");
    assert_eq!(session.drain(), Vec::<&str>::new());
}

#[test]
fn there_are_no_more_namespaces_than_allowed() {
    let mut session = joined();
    session.join("/one".into(), "one");

    assert!(session.text("0/two", &LIMITS).is_err());

    session.text("1/one", &LIMITS).unwrap();
    assert!(session.text("0/two", &LIMITS).is_ok());
}

proptest! {
    #[test]
    fn no_sequence_reaches_a_namespace_that_was_not_joined(
        messages in prop::collection::vec(prop_oneof![
            Just("0"), Just("0/a"), Just("0/b"), Just("1"), Just("1/a"), Just(r#"2["x"]"#), Just(r#"2/a,["x"]"#),
            Just(r#"2/b,["x"]"#), Just(r#"51-/a,["x"]"#), Just("binary"), Just("31[]"), Just("leave /a"),
        ], 0..40),
        lets_in in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut session = SocketSession::<String>::default();
        let mut inside = std::collections::BTreeSet::new();
        for (message, lets_in) in messages.into_iter().zip(lets_in) {
            let step = match message {
                "binary" => session.binary(Bytes::new(), &LIMITS),
                "leave /a" => { prop_assert_eq!(session.leave("/a").is_some(), inside.remove("/a")); continue }
                text => session.text(text, &LIMITS),
            };
            match step {
                Ok(Step::Join { namespace, .. }) => {
                    prop_assert!(!inside.contains(&namespace));
                    if lets_in {
                        session.join(namespace.as_str().into(), namespace.clone());
                        inside.insert(namespace);
                    }
                }
                Ok(Step::Event { client, .. } | Step::Ack { client, .. }) => prop_assert!(inside.contains(&client)),
                Ok(Step::Leave(client)) => prop_assert!(inside.remove(&client)),
                Ok(Step::None) => {}
                Err(_) => break,
            }
            prop_assert!(inside.len() <= LIMITS.namespaces);
        }
    }
}
