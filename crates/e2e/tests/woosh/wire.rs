//! `/messages`: what is taken, what is refused, and by which text.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use crate::harness::{Server, assert_refused};

const BAD_UNTIL: &str = "invalid field \"until\": valid unix timestamp expected";

on_both! {
    async fn a_message_that_breaks_a_rule_is_refused_with_its_text(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("Bob").await);
        let no_recipient = "missing field \"recipient\" in body: username of the recipient";
        let no_contents = "missing field \"contents\" in body: contents of the message";
        let text = |field: &str| format!("invalid field \"{field}\": text of 0 to 4096 characters expected");
        let (bad_recipient, bad_contents) = (text("recipient"), text("contents"));
        let cases = [
            (Value::Null, 400, no_recipient),
            (json!(["alice"]), 400, no_recipient),
            (json!({"recipient": null, "contents": "x"}), 400, no_recipient),
            (json!({"recipient": "Bob"}), 400, no_contents),
            (json!({"recipient": "Bob", "contents": null}), 400, no_contents),
            (json!({"recipient": 7, "contents": "x"}), 400, &bad_recipient),
            (json!({"recipient": "Bob", "contents": 7}), 400, &bad_contents),
            (json!({"recipient": "Bob", "contents": true}), 400, &bad_contents),
            (json!({"recipient": "Bob", "contents": ["x"]}), 400, &bad_contents),
            (json!({"recipient": "Bob", "contents": {}}), 400, &bad_contents),
            (json!({"recipient": "Bob", "contents": "ä".repeat(4097)}), 400, &bad_contents),
            (json!({"recipient": "bob", "contents": "x"}), 404, "user not found"),
            (json!({"recipient": "a\u{0}b", "contents": "x"}), 404, "user not found"),
            (json!({"recipient": "", "contents": "x"}), 404, "user not found"),
            (json!({"recipient": "B".repeat(4097), "contents": "x"}), 404, "user not found"),
            (json!({"recipient": "alice", "contents": "x"}), 400, "cannot send a message "),
        ];
        for (body, status, message) in cases {
            assert_refused(&alice.post("/messages", &body).await, status, message);
        }
        assert_refused(&alice.call(Method::POST, "/messages", "{\"recipient\":").await, 400, no_recipient);
        let long = json!({"recipient": "Bob", "contents": "x".repeat(2_000_000)});
        assert_refused(&alice.post("/messages", &long).await, 413, "body too large");

        assert_eq!(bob.contents().await, [""; 0]);
    }

    async fn contents_come_as_they_went_whatever_the_content_type(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let sent = ["".to_owned(), "naïve 🔑".to_owned(), "a\u{0}b".to_owned(), "ä".repeat(4096), "{\"json\": [1]}".to_owned()];

        for contents in &sent {
            alice.send("bob", contents).await.assert_status(201);
            server.pass(1);
        }
        let form = alice.http.request(Method::POST, "/messages").header("x-user-name", "alice").header("x-user-token", "s3cr3")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(json!({"recipient": "bob", "contents": "typed", "more": 1}).to_string());
        alice.http.send(form).await.assert_status(201);

        let mut got = bob.contents().await;
        got.reverse();
        assert_eq!(got[..5], sent);
        assert_eq!(got[5], "typed");
    }

    async fn the_same_send_twice_is_two_messages(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);

        let ids = [alice.send("bob", "x").await.value()["id"].clone(), alice.send("bob", "x").await.value()["id"].clone()];

        assert_ne!(ids[0], ids[1]);
        assert_eq!(bob.contents().await, ["x", "x"]);
    }

    async fn a_poll_takes_no_parameters_and_tells_its_time_in_seconds(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let empty = bob.get("/messages?since=9&limit=0").await.expect(200).value();
        alice.send("bob", "x").await.assert_status(201);

        let polled = bob.get("/messages?since=99999999999&limit=0&offset=5").await.expect(200).value();

        let seconds = testkit::clock::START.as_secs();
        assert_eq!(empty, json!({"query_time": seconds, "messages": []}));
        assert_eq!((&polled["query_time"], &polled["messages"][0]["sent_at"]), (&json!(seconds), &json!(seconds)));
        assert_eq!(alice.poll().await.1, Vec::<Value>::new(), "what was sent is not listed");
    }

    async fn until_is_a_whole_number_of_64_bits(db: TestDb) {
        let server = Server::start(&db).await;
        let bob = server.user("bob").await;
        let delete = async |query: &str| bob.call(Method::DELETE, &format!("/messages{query}"), "").await;

        for until in ["", "abc", "1.5", "9223372036854775808", "-9223372036854775809", "0x10"] {
            assert_refused(&delete(&format!("?until={until}")).await, 400, BAD_UNTIL);
        }
        assert_refused(&delete("").await, 400, "missing field \"until\" in querystring: timestamp of the last query time");
        for until in ["-5", "%2012%20", "9223372036854775807", "-9223372036854775808"] {
            let answer = delete(&format!("?until={until}")).await.expect(200).value();
            assert_eq!(answer, json!({"result": "success", "deleted": 0}), "{until}");
        }
    }

    async fn methods_and_paths_are_answered_before_credentials(db: TestDb) {
        let server = Server::start(&db).await;
        let nobody = server.nobody();
        let allowed = Some("DELETE, GET, HEAD, OPTIONS, POST");

        for method in [Method::PUT, Method::PATCH, Method::from_bytes(b"BREW").unwrap()] {
            let answer = nobody.call(method, "/messages", "").await;
            assert_refused(&answer, 405, "method not allowed");
            assert_eq!(answer.header("allow"), allowed);
        }
        let options = nobody.call(Method::OPTIONS, "/messages", "").await.expect(200);
        assert_eq!((options.header("allow"), options.text().as_str()), (allowed, ""));
        let head = nobody.call(Method::HEAD, "/messages", "").await;
        assert_eq!((head.status.as_u16(), head.text().as_str()), (401, ""));
    }

    async fn nothing_is_below_the_path_but_what_signal_server_has_there(db: TestDb) {
        for enabled in ["true", "false"] {
            let server = Server::start_with(&db, &[("compat.signal_server.enabled", enabled)]).await;
            for path in ["/messages/", "/messages/a/", "/messages/a", "/messages/a/b", "/messages/1a"] {
                let refused = server.nobody().get(path).await;
                if enabled == "true" && path.ends_with('/') {
                    assert_eq!(refused.expect(404).value(), json!({"detail": "Not found."}));
                } else {
                    assert_refused(&refused, 404, "not found");
                }
            }
            assert_refused(&server.nobody().get("/messages").await, 401, "unauthorized");
            server.host.stop().await;
        }
    }

    async fn limits_answer_in_the_same_form(db: TestDb) {
        let server = Server::start_with(&db, &[
            ("limits.enabled", "true"),
            ("limits.search_account.size", "1"),
            ("auth.password_attempts.size", "1"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);

        assert_refused(&alice.send("nobody", "x").await, 404, "user not found");
        assert_refused(&alice.send("nobody", "x").await, 429, "too many requests");
        alice.send("bob", "x").await.assert_status(201);
        assert_refused(&bob.with_token("wrong").get("/messages").await, 401, "unauthorized");
        let refused = bob.with_token("wrong").get("/messages").await;

        assert_refused(&refused, 429, "too many requests");
        assert_eq!(refused.header("retry-after"), Some("60"));
    }
}
