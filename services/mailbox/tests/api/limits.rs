//! What is refused, and that nothing of it is stored.

use common::models::AccountId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Device, REGISTRATION, TestApp, copy, message};

fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}

/// The status of a send whose body is only announced: a client that writes a body that nobody reads may lose the answer.
async fn announced(app: &TestApp, from: &Device, to: &Device, length: usize) -> String {
    let mut stream = TcpStream::connect(app.host.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: mailbox\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n",
        to.path(),
        from.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

testkit::on_both! {
    async fn a_bad_send_stores_nothing(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.max_content_bytes", "1000")]).await;
        let account = AccountId::new();
        let (one, two) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let alice = app.device().await;
        let good = message(&[copy(1, REGISTRATION, b"x"), copy(2, REGISTRATION, b"x")]);
        let cases = [
            ("/timestamp", json!("now"), 400, "invalid-request"),
            ("/timestamp", json!(-1), 400, "invalid-request"),
            ("/timestamp", json!(8_640_000_000_000_001_i64), 400, "invalid-request"),
            ("/urgent", json!("yes"), 400, "invalid-request"),
            ("/online", json!("yes"), 400, "invalid-request"),
            ("/surprise", json!(1), 400, "invalid-request"),
            ("/messages", json!({}), 400, "invalid-request"),
            ("/messages/1/destinationDeviceId", json!(0), 400, "invalid-request"),
            ("/messages/1/destinationDeviceId", json!(1), 422, "duplicate-device"),
            ("/messages/1/destinationRegistrationId", json!(16_384), 400, "invalid-request"),
            ("/messages/1/type", json!("1"), 400, "invalid-request"),
            ("/messages/1/type", json!(5), 422, "envelope-type-refused"),
            ("/messages/1/content", json!(""), 422, "empty-content"),
            ("/messages/1/content", json!("a!b"), 400, "invalid-request"),
            ("/messages/1/content", json!(7), 400, "invalid-request"),
            ("/messages/1/content", json!("A".repeat(1336)), 413, "too-large"),
            ("/messages/1/more", json!(1), 400, "invalid-request"),
        ];
        for (pointer, value, status, slug) in cases {
            let body = changed(good.clone(), pointer, value);

            let problem = alice.client.put(&one.path(), &body).await.expect(status).problem();

            assert_eq!(problem.slug(), slug, "{body}");
            if status == 400 && pointer.starts_with("/messages/1/") {
                assert!(problem.errors[0].pointer.starts_with("/messages/1"), "{problem:?}");
            }
        }
        assert_eq!(announced(&app, &alice, &one, 5 * 1024 * 1024).await, "HTTP/1.1 413");
        alice.client.put("/v1/messages/nobody", &good).await.assert_status(400);
        for key in ["", " ", "two words", &"k".repeat(129)] {
            alice.send_keyed(&one, &good, key).await.assert_status(400);
        }
        assert!(one.fetch_all().await.is_empty() && two.fetch_all().await.is_empty());

        let longest = changed(good, "/messages/1/content", json!("A".repeat(1332)));
        alice.client.put(&one.path(), &longest).await.assert_status(200);
        app.host.stop().await;
    }

    async fn callers_without_a_device_are_refused(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let unbound = app.host.http.with_token(app.token(bob.account, None).0);
        let body = message(&[copy(1, REGISTRATION, b"x")]);
        for (client, status) in
            [(&unbound, 403), (&app.host.http, 401), (&app.host.http.with_token("a.b.c"), 401)]
        {
            client.put(&bob.path(), &body).await.assert_status(status);
            client.get("/v1/messages").await.assert_status(status);
            client.post("/v1/messages/ack", &json!({"ackSeq": 1})).await.assert_status(status);
            client.get("/v1/websocket").await.assert_status(status);
        }
        assert!(bob.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn bad_fetches_and_acks_change_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "kept").await.assert_status(200);

        for query in
            ["limit=0", "limit=101", "limit=x", "afterSeq=-1", "timeout=31", "timeout=-1", "after=1", "limit=1&limit=2"]
        {
            bob.client.get(&format!("/v1/messages?{query}")).await.assert_status(400);
        }
        let many = vec![AccountId::new(); 1001];
        for body in [
            json!({}),
            json!({"ackSeq": 1, "guids": []}),
            json!({"ackSeq": -1}),
            json!({"ackSeq": "1"}),
            json!({"ackSeq": 1.5}),
            json!({"guids": ["x"]}),
            json!({"guids": many}),
            json!({"ackSeq": 1, "more": 1}),
        ] {
            bob.ack(&body).await.assert_status(400);
        }
        let beyond = bob.ack(&json!({"ackSeq": 2})).await.expect(422).problem();
        assert_eq!((beyond.slug(), &beyond.extensions["lastSeq"]), ("ack-beyond-last", &json!(1)));
        bob.ack(&json!({"guids": []})).await.assert_status(204);
        bob.ack(&json!({"ackSeq": 0})).await.assert_status(204);
        app.host.http.post("/v1/messages", &json!({})).await.assert_status(405);
        assert_eq!(bob.fetch_all().await, [(1, "kept".to_owned())]);
        app.host.stop().await;
    }

    async fn a_full_mailbox_refuses_for_all_devices_until_there_is_room(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.max_envelopes", "3")]).await;
        let account = AccountId::new();
        let (one, two) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let alice = app.device().await;
        let both = message(&[copy(1, REGISTRATION, b"x"), copy(2, REGISTRATION, b"x")]);
        for _ in 0..3 {
            alice.client.put(&one.path(), &both).await.assert_status(200);
        }
        one.ack(&json!({"ackSeq": 3})).await.assert_status(204);

        let full = alice.client.put(&one.path(), &both).await.expect(507).problem();

        assert_eq!((full.slug(), &full.extensions["fullDevices"]), ("mailbox-full", &json!([2])));
        assert!(one.fetch_all().await.is_empty());
        two.ack(&json!({"ackSeq": 1})).await.assert_status(204);
        alice.client.put(&one.path(), &both).await.assert_status(200);
        assert_eq!(two.fetch_all().await.len(), 3);
        app.host.stop().await;
    }

    async fn bytes_fill_a_mailbox_too(test: TestDb) {
        let settings = [("mailbox.max_bytes", "1000"), ("mailbox.max_content_bytes", "600")];
        let app = TestApp::start_with(&test, &settings).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let content = "x".repeat(500);
        alice.send(&bob, &content).await.assert_status(200);
        alice.send(&bob, &content).await.assert_status(200);

        alice.send(&bob, "x").await.assert_status(507);
        bob.ack(&json!({"ackSeq": 1})).await.assert_status(204);

        alice.send(&bob, &content).await.assert_status(200);
        app.host.stop().await;
    }
}
