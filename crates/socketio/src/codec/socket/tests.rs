use proptest::prelude::*;

use super::*;

fn json(text: &str) -> Json {
    Json::from_text(text).unwrap()
}

fn event(id: Option<u64>, name: &str, args: &str, attachments: usize) -> Body {
    Body::Event { id, name: name.to_owned(), args: json(args), attachments }
}

fn ack(id: u64, args: &str, attachments: usize) -> Body {
    Body::Ack { id, args: json(args), attachments }
}

#[test]
fn packets_read_and_written_as_the_protocol_shows_them() {
    let cases = [
        ("0", "/", Body::Connect(None)),
        (r#"0{"token":"x"}"#, "/", Body::Connect(Some(json(r#"{"token":"x"}"#)))),
        ("0/admin,", "/admin", Body::Connect(None)),
        (r#"0/admin,{"sid":"a"}"#, "/admin", Body::Connect(Some(json(r#"{"sid":"a"}"#)))),
        ("1", "/", Body::Disconnect),
        ("1/admin,", "/admin", Body::Disconnect),
        (r#"2["foo",1]"#, "/", event(None, "foo", "[1]", 0)),
        (r#"2["foo"]"#, "/", event(None, "foo", "[]", 0)),
        (r#"2/admin,["bar"]"#, "/admin", event(None, "bar", "[]", 0)),
        (r#"212["foo"]"#, "/", event(Some(12), "foo", "[]", 0)),
        (r#"2/a-b,456["foo",{"a":[1.50]}]"#, "/a-b", event(Some(456), "foo", r#"[{"a":[1.50]}]"#, 0)),
        ("312[]", "/", ack(12, "[]", 0)),
        (r#"3/admin,13["bar"]"#, "/admin", ack(13, r#"["bar"]"#, 0)),
        (
            r#"4{"message":"Not authorized"}"#,
            "/",
            Body::ConnectError(json(r#"{"message":"Not authorized"}"#)),
        ),
        (
            r#"51-["baz",{"_placeholder":true,"num":0}]"#,
            "/",
            event(None, "baz", r#"[{"_placeholder":true,"num":0}]"#, 1),
        ),
        (
            r#"52-/admin,7["baz",[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#,
            "/admin",
            event(Some(7), "baz", r#"[[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#, 2),
        ),
        (
            r#"61-15["bar",{"_placeholder":true,"num":0}]"#,
            "/",
            ack(15, r#"["bar",{"_placeholder":true,"num":0}]"#, 1),
        ),
    ];
    for (text, namespace, body) in cases {
        let packet = Packet { namespace, body };
        let mut written = String::new();

        packet.encode(&mut written);

        assert_eq!(written, text);
        assert_eq!(Packet::decode(text), Ok(packet), "{text}");
    }
}

#[test]
fn other_spellings_of_the_same_are_read() {
    let cases = [
        ("0/admin", "/admin", Body::Connect(None)),
        ("1/custom", "/custom", Body::Disconnect),
        ("0/,{}", "/", Body::Connect(Some(json("{}")))),
        (r#"2[ "foo" , 1 , 2 ]"#, "/", event(None, "foo", "[1 , 2]", 0)),
        (r#"2["f\u006fo" ]"#, "/", event(None, "foo", "[]", 0)),
        (r#"50-["none"]"#, "/", event(None, "none", "[]", 0)),
        (
            r#"2["plain",{"_placeholder":true,"num":9}]"#,
            "/",
            event(None, "plain", r#"[{"_placeholder":true,"num":9}]"#, 0),
        ),
    ];
    for (text, namespace, body) in cases {
        assert_eq!(Packet::decode(text), Ok(Packet { namespace, body }), "{text}");
    }
}

#[test]
fn invalid_packets_are_refused() {
    let deep = format!(r#"51-["deep",{}{}]"#, "[".repeat(200), "]".repeat(200));
    let long = format!("0/{}", "x".repeat(MAX_NAMESPACE_BYTES));
    let cases = [
        // types
        "",
        "7",
        "abc",
        "€",
        "-1",
        // the wrong kind of data (§8.2, §12 row 8)
        "2",
        "21",
        "2{}",
        "2[]",
        "2[1]",
        "2[null]",
        "2[[]]",
        r#"2"foo""#,
        "2true",
        "31",
        "31{}",
        "3[]",
        "0[]",
        "0 ",
        "0null",
        r#"0"x""#,
        "1{}",
        "1[]",
        "4",
        "4[]",
        // junk between the parts
        "2abc[\"x\"]",
        r#"2 ["x"]"#.trim_end_matches(']'),
        r#"2["x"]]"#,
        r#"2["x"] x"#,
        r#"2["x""#,
        r#"2["x" 1]"#,
        r#"2["x",]"#,
        // attachments
        "5",
        "5-",
        "51",
        r#"5["x"]"#,
        r#"51["x"]"#,
        r#"5a-["x"]"#,
        r#"5+1-["x"]"#,
        r#"5-1-["x"]"#,
        r#"51.0-["x"]"#,
        r#"599999999999999999999-["x"]"#,
        r#"51-["x",{"_placeholder":true,"num":1}]"#,
        r#"51-["x",{"_placeholder":true,"num":-1}]"#,
        r#"51-["x",{"_placeholder":true,"num":"splice"}]"#,
        r#"51-["x",{"_placeholder":true}]"#,
        r#"51-["x",{"a":[{"_placeholder":true,"num":0.5}]}]"#,
        &deep,
        // ids and names
        r#"299999999999999999999["x"]"#,
        "01",
        "01{}",
        "11",
        r#"2["connect"]"#,
        r#"2["disconnecting",1]"#,
        r#"2["\u0063onnect"]"#,
        &long,
    ];
    for text in cases {
        assert!(Packet::decode(text).is_err(), "{text}: {:?}", Packet::decode(text));
    }
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just(MAIN.to_owned()), "/[^,]{0,20}"]
}

fn array() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    prop::collection::vec(leaf, 0..4).prop_map(|items| Json::of(&items).unwrap())
}

fn body() -> impl Strategy<Value = Body> {
    let event = (any::<Option<u64>>(), any::<String>(), array(), 0_usize..3)
        .prop_filter("reserved", |(_, name, ..)| !is_reserved(name))
        .prop_map(|(id, name, args, attachments)| Body::Event { id, name, args, attachments });
    prop_oneof![
        Just(Body::Connect(None)),
        Just(Body::Connect(Some(json("{}")))),
        Just(Body::Disconnect),
        Just(Body::ConnectError(json(r#"{"message":"no"}"#))),
        event,
        (any::<u64>(), array(), 0_usize..3).prop_map(|(id, args, attachments)| Body::Ack {
            id,
            args,
            attachments
        }),
    ]
}

proptest! {
    #[test]
    fn packets_come_back(namespace in namespace(), body in body()) {
        let packet = Packet { namespace: &namespace, body };
        let mut text = String::new();

        packet.encode(&mut text);

        prop_assert_eq!(Packet::decode(&text), Ok(packet), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), kind in 0..8_u8) {
        let _ = Packet::decode(&text);
        let _ = Packet::decode(&format!("{kind}{text}"));
        let _ = Packet::decode(&format!("{kind}1-[\"{text}"));
    }
}
