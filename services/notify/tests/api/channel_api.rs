//! The interface of ChannelAPI for back-ends.

use serde_json::{Value, json};
use testkit::clock::FakeClock;

use crate::harness::{KEY, TestApp};

/// Everything that JSON has.
fn every_kind() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!(""),
        json!("grüße 🎉\u{2028}\n\"\\"),
        json!([]),
        json!([1, [2, {"a": null}]]),
        json!({}),
        json!({"nested": {"list": [1, 2], "text": "x"}}),
    ]
}

testkit::on_both! {
    async fn a_token_is_the_same_at_each_call_and_opens_its_channel(test: TestDb) {
        let app = TestApp::start(&test).await;

        let first = app.backend.channel_token("user1").await;
        let second = app.backend.channel_token("user1").await;
        let other = app.backend.channel_token("user2").await;

        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(first.len(), 43);
        assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{first}");
        let mut socket = app.connect().await;
        let joined = socket.subscribe(&json!({"token": first})).await;
        assert_eq!((&joined["channel"], &joined["recovered"]), (&json!("user1"), &json!(true)));
        app.host.stop().await;
    }

    async fn a_token_lives_for_a_week_and_a_join_sets_it_back(test: TestDb) {
        let clock = FakeClock::default();
        let day = std::time::Duration::from_secs(24 * 3600);
        let app = TestApp::start_at(&test, &[], clock.shared()).await;
        let token = app.backend.channel_token("user1").await;

        clock.advance(day * 6);
        assert_eq!(app.backend.channel_token("user1").await, token, "another call does not change it");
        app.connect().await.subscribe(&json!({"token": token})).await;
        clock.advance(day * 6);
        assert_eq!(app.backend.channel_token("user1").await, token, "the join has prolonged it");
        clock.advance(day);

        let next = app.backend.channel_token("user1").await;
        assert_ne!(next, token);
        let mut socket = app.connect().await;
        socket.ask(&json!({"token": token})).await;
        socket.frame("refused").await;
        assert_eq!(socket.closed().await.0, 4401);
        app.host.stop().await;
    }

    async fn messages_of_every_kind_arrive_as_they_were_sent(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("user1").await;

        for message in every_kind() {
            app.backend.message("user1", &message).await;
        }

        for (offset, message) in (1..).zip(every_kind()) {
            assert_eq!(socket.message().await, (offset, message));
        }
        let exact = "{\"message\": {\"b\":1.0,\r\n\"a\":123456789012345678901, \"b2\":1e400} }";
        app.backend.channel_api("/message/user1", exact).await.assert_status(200);
        let kept = app.backend.client.get("/v1/notify/history?channel=user1&after=10").await.expect(200).text();
        assert!(kept.contains(r#""data":{"b":1.0,  "a":123456789012345678901, "b2":1e400}"#), "{kept}");
        app.host.stop().await;
    }

    async fn channels_are_named_by_everything_behind_the_second_slash(test: TestDb) {
        let app = TestApp::start(&test).await;
        for (path, name) in [
            ("a/b%20c", "a/b c"),
            ("a%2Fb", "a/b"),
            ("gr%C3%BC%C3%9Fe/%F0%9F%8E%89", "grüße/🎉"),
            ("a+b", "a+b"),
            ("/", "/"),
            ("x//y/", "x//y/"),
            ("%3F%23", "?#"),
            ("q?x=1", "q"),
            ("%25", "%"),
        ] {
            let token = app.backend.channel_token(path).await;
            let mut socket = app.connect().await;

            let joined = socket.subscribe(&json!({"token": token})).await;
            app.backend.message(path, &json!(name)).await;

            assert_eq!(joined["channel"], name, "{path}");
            assert_eq!(socket.message().await, (1, json!(name)));
        }
        app.host.stop().await;
    }

    async fn no_name_reaches_a_socket_or_all_of_them(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut socket = app.member("user1").await;

        for name in ["global_emit", "all", "notify/0", "user1/", "User1", ""] {
            let answer = app.backend.channel_api(&format!("/message/{name}"), r#"{"message":1}"#).await;
            assert_eq!(answer.status == 200, !name.is_empty());
        }

        socket.hears_nothing().await;
        app.host.stop().await;
    }

    async fn wrong_keys_and_bad_requests_are_told_in_json(test: TestDb) {
        let app = TestApp::start(&test).await;
        let anybody = &app.host.http;
        let refused = |answer: testkit::http::Answer, status: u16| {
            let body = answer.expect(status).value();
            assert_eq!(body["success"], false, "{body}");
            body["message"].as_str().unwrap().to_owned()
        };

        for path in ["/channel/a", "/message/a", "/channel/", "/message/"] {
            refused(anybody.send(anybody.request(reqwest::Method::POST, path)).await, 403);
            for key in ["wrong", "", &format!("Bearer {KEY}"), &format!("{KEY} "), &KEY[1..]] {
                let request = anybody.request(reqwest::Method::POST, path).header("authorization", key);
                let answer = anybody.send(request.body(r#"{"message":1}"#)).await;
                // Blanks at the end of a header are no part of it (RFC 9110 §5.5).
                if key.trim() != KEY {
                    refused(answer, 403);
                }
            }
            for method in ["GET", "PUT", "DELETE", "PATCH"] {
                let answer = anybody.send(anybody.request(method.parse().unwrap(), path)).await;
                assert_eq!(answer.header("allow"), Some("OPTIONS, POST"));
                refused(answer, 405);
            }
            anybody.send(anybody.request(reqwest::Method::OPTIONS, path)).await.assert_status(204);
        }
        for path in ["/channel", "/message"] {
            refused(anybody.send(anybody.request(reqwest::Method::POST, path)).await, 404);
            refused(anybody.get(path).await, 404);
        }
        assert_eq!(refused(app.backend.channel_api("/channel/", "").await, 400), "No Channel Supplied");
        assert_eq!(
            refused(app.backend.channel_api("/message/", r#"{"message":1}"#).await, 400),
            "No Channel Supplied"
        );
        for body in ["", "{", "[]", "[1]", "1", "null", r#""message""#, "{}", r#"{"Message":1}"#, "\u{feff}{\"message\":1}"] {
            assert_eq!(
                refused(app.backend.channel_api("/message/a", body).await, 400),
                "Body is in incorrect format. Key 'message' not found.",
                "{body}"
            );
        }
        refused(app.backend.channel_api("/channel/%FF", "").await, 400);
        refused(app.backend.channel_api("/channel/%00", "").await, 400);
        refused(app.backend.channel_api(&format!("/channel/{}", "a".repeat(256)), "").await, 400);
        refused(app.backend.channel_api("/message/a", json!({"message": "x".repeat(65_535)}).to_string()).await, 413);
        refused(app.backend.channel_api("/message/a", "x".repeat(200_000)).await, 413);
        refused(app.backend.narrow().channel_api("/channel/a", "").await, 403);
        app.backend.narrow().channel_token("orders/1").await;
        app.host.stop().await;
    }

    async fn a_thousand_calls_at_once_are_all_answered(test: TestDb) {
        let app = TestApp::start(&test).await;
        let call = |number: usize| {
            let backend = app.backend.clone();
            async move { backend.channel_token(&format!("crowd/{}", number % 500)).await }
        };

        let tokens = futures_util::future::join_all((0..1000).map(call)).await;
        let join = |token: String| {
            let app = &app;
            async move {
                let mut socket = app.connect().await;
                let joined = socket.subscribe(&json!({"token": token})).await;
                (socket, joined)
            }
        };
        let joined = futures_util::future::join_all(tokens.clone().into_iter().map(join)).await;

        for number in 0..500 {
            assert_eq!(tokens[number], tokens[number + 500]);
            assert_eq!(joined[number].1["channel"], format!("crowd/{number}"));
        }
        app.backend.message("crowd/7", &json!("hello")).await;
        for (number, (mut socket, _)) in joined.into_iter().enumerate().filter(|(number, _)| number % 500 < 10) {
            if number % 500 == 7 {
                assert_eq!(socket.message().await, (1, json!("hello")));
            } else {
                socket.hears_nothing().await;
            }
        }
        app.host.stop().await;
    }
}
