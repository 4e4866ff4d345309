//! Tokens for single devices, their end, and who is present by them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::models::{AccountId, Clock, SystemClock};
use serde_json::{Value, json};
use testkit::auth::FakeAuth;
use testkit::clock::FakeClock;
use testkit::process::ports;
use testkit::wait::{wait_for, wait_until};

use crate::harness::{Events, Seen, TestApp};

testkit::on_both! {
    async fn a_revoked_token_ends_its_sessions_and_no_others(test: TestDb) {
        let app = TestApp::start(&test).await;
        let phone = app.backend.issue(&json!({"channel": "a", "label": "phone"})).await;
        let laptop = app.backend.issue(&json!({"channel": "a", "label": "laptop"})).await;
        let shared = app.backend.channel_token("a").await;
        let mut sockets = Vec::new();
        for token in [&phone["token"], &laptop["token"], &json!(shared)] {
            let mut socket = app.connect().await;
            socket.subscribe(&json!({"token": token})).await;
            sockets.push(socket);
        }
        let stream = app.host.http.with_token(phone["token"].as_str().unwrap());
        let mut stream = Events::open(stream.request(reqwest::Method::GET, "/v1/notify/sse")).await;
        stream.event("subscribed").await;

        let path = format!("/v1/notify/tokens/{}?channel=a", phone["id"].as_str().unwrap());
        app.backend.client.delete(&path).await.assert_status(204);

        let mut phone_socket = sockets.remove(0);
        let ended = phone_socket.frame("ended").await;
        assert_eq!((&ended["channel"], &ended["reason"]), (&json!("a"), &json!("revoked")));
        assert_eq!(phone_socket.closed().await.0, 4401);
        assert_eq!(stream.event("ended").await.data["reason"], "revoked");
        assert_eq!(stream.next().await, None);
        app.backend.publish("a", &json!(1)).await;
        for socket in &mut sockets {
            assert_eq!(socket.message().await.0, 1);
        }
        app.backend.client.delete(&path).await.assert_status(404);
        let mut again = app.connect().await;
        again.ask(&json!({"token": phone["token"]})).await;
        assert_eq!(again.frame("refused").await["problem"]["status"], 401);
        assert_eq!(again.closed().await.0, 4401);
        app.backend.client.delete("/v1/notify/tokens?channel=a").await.assert_status(204);
        for socket in sockets {
            assert_eq!(socket.closed().await.0, 4401);
        }
        assert_ne!(app.backend.channel_token("a").await, shared, "the revoked one is not given again");
        app.host.stop().await;
    }

    async fn tokens_are_listed_without_what_opens_the_channel(test: TestDb) {
        let app = TestApp::start(&test).await;
        app.backend.channel_token("a").await;
        let phone = app.backend.issue(&json!({"channel": "a", "label": "phone", "member": "alice", "expiresIn": 60})).await;
        app.connect().await.subscribe(&json!({"token": phone["token"]})).await;

        let listed = app.backend.client.get("/v1/notify/tokens?channel=a").await.expect(200);

        assert!(!listed.text().contains(phone["token"].as_str().unwrap()));
        let tokens = listed.value()["tokens"].clone();
        assert_eq!(tokens[0]["id"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(tokens[1]["id"], phone["id"]);
        assert_eq!((&tokens[1]["label"], &tokens[1]["member"]), (&json!("phone"), &json!("alice")));
        assert_eq!((&tokens[1]["issuedBy"], &tokens[1]["expiresAt"]), (&json!("backend"), &phone["expiresAt"]));
        assert!(tokens[1]["usedAt"].is_i64() && tokens[0].get("usedAt").is_none(), "{tokens}");
        for body in [
            json!({"channel": ""}),
            json!({"channel": "a", "expiresIn": 0}),
            json!({"channel": "a", "expiresIn": 999_999_999}),
            json!({"channel": "a", "label": "x".repeat(129)}),
            json!({"channel": "a", "member": ""}),
        ] {
            app.backend.client.post("/v1/notify/tokens", &body).await.assert_status(400);
        }
        app.backend.narrow().client.post("/v1/notify/tokens", &json!({"channel": "a"})).await.assert_status(403);
        app.host.stop().await;
    }

    async fn a_token_that_expires_ends_its_sessions_unless_it_was_prolonged(test: TestDb) {
        let clock = FakeClock::default();
        let more = [("notify.session_check", "50ms"), ("notify.token_ttl", "1h")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let short = app.backend.issue(&json!({"channel": "a", "expiresIn": 600})).await;
        let shared = app.backend.channel_token("a").await;
        let mut first = app.connect().await;
        first.subscribe(&json!({"token": short["token"]})).await;
        let mut second = app.connect().await;
        second.subscribe(&json!({"token": shared})).await;

        clock.advance(Duration::from_secs(1800));
        let mut third = app.connect().await;
        third.subscribe(&json!({"token": shared})).await;
        assert_eq!(first.frame("ended").await["reason"], "expired");
        assert_eq!(first.closed().await.0, 4401);
        clock.advance(Duration::from_secs(1801));
        app.backend.publish("a", &json!(1)).await;
        assert_eq!(second.message().await.0, 1, "the third join has prolonged its token");
        clock.advance(Duration::from_secs(3600));

        for mut socket in [second, third] {
            let frame = loop {
                match socket.next().await {
                    Seen::Frame(frame) if frame["type"] == "message" => {}
                    other => break other,
                }
            };
            assert_eq!(frame, Seen::Frame(json!({"type": "ended", "channel": "a", "reason": "expired"})));
            assert_eq!(socket.closed().await.0, 4401);
        }
        app.host.stop().await;
    }

    async fn an_access_token_opens_the_channel_of_its_account(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.session_check", "50ms")]).await;
        let account = AccountId::new();
        let channel = format!("account:{account}");
        let (token, session) = app.access_token(account).await;
        let mut socket = app.connect().await;

        let joined = socket.subscribe(&json!({"token": token})).await;
        app.backend.narrow().publish(&channel, &json!("wake up")).await;

        assert_eq!(joined["channel"], channel);
        assert_eq!(socket.message().await, (1, json!("wake up")));
        let now = SystemClock.now().as_i64();
        app.nudge(&json!({"type": "session.revoked", "accountId": account, "at": now, "sessionId": session})).await;
        assert_eq!(socket.frame("ended").await["reason"], "revoked");
        assert_eq!(socket.closed().await.0, 4401);
        let mut again = app.connect().await;
        again.ask(&json!({"token": token})).await;
        again.frame("refused").await;
        app.host.stop().await;
    }

    async fn members_are_present_while_a_client_with_their_token_is_in_the_channel(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.presence_gather", "10ms")]).await;
        let token = async |member: Value| {
            app.backend.issue(&json!({"channel": "a", "member": member})).await["token"].clone()
        };
        let (alice, bob, nobody) = (token(json!("alice")).await, token(json!("bob")).await, token(Value::Null).await);
        let present = async || {
            let answer = app.backend.client.get("/v1/notify/presence?channel=a").await.expect(200).value();
            let members = answer["members"].as_array().unwrap().clone();
            members.iter().map(|one| (one["member"].as_str().unwrap().to_owned(), one["connections"].as_i64().unwrap())).collect::<Vec<_>>()
        };
        let mut sockets = Vec::new();
        for token in [&alice, &alice, &bob, &nobody] {
            let mut socket = app.connect().await;
            socket.subscribe(&json!({"token": token})).await;
            sockets.push(socket);
        }

        wait_until("all to be present", || async {
            present().await == [("alice".to_owned(), 2), ("bob".to_owned(), 1)]
        }).await;
        drop(sockets.remove(0));
        wait_until("one to have left", || async {
            present().await == [("alice".to_owned(), 1), ("bob".to_owned(), 1)]
        }).await;
        sockets.clear();
        wait_until("all to have left", || async { present().await.is_empty() }).await;
        app.host.stop().await;
    }

    async fn one_client_is_in_many_channels_and_in_each_once(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.max_subscriptions", "3")]).await;
        let mut tokens = Vec::new();
        for name in ["a", "b", "c", "d"] {
            tokens.push(app.backend.channel_token(name).await);
        }
        let mut socket = app.connect().await;
        for token in &tokens[..3] {
            socket.subscribe(&json!({"token": token})).await;
        }

        socket.subscribe(&json!({"token": tokens[0]})).await;
        socket.ask(&json!({"token": tokens[3]})).await;
        let refusal = socket.frame("refused").await;
        app.backend.publish("a", &json!("once")).await;
        app.backend.publish("b", &json!("b")).await;

        assert_eq!(refusal["problem"]["type"], "urn:problem:too-many-channels");
        assert_eq!(socket.message().await.1, "once");
        assert_eq!(socket.message().await.1, "b");
        socket.text(&json!({"type": "unsubscribe", "id": 9, "channel": "b"}).to_string()).await;
        socket.frame("unsubscribed").await;
        app.backend.publish("b", &json!("not heard")).await;
        app.backend.publish("c", &json!("c")).await;
        assert_eq!(socket.message().await.1, "c");
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_no_channel_is_sent_away() {
    let test = testkit::database::TestDb::sqlite().await;
    let more = [("notify.join_timeout", "200ms"), ("notify.session_check", "50ms")];
    let app = TestApp::start_with(&test, &more).await;
    let token = app.backend.channel_token("a").await;
    // On a loaded machine it may not be in time at once.
    let mut member = wait_for("a member", || async {
        let mut socket = app.connect().await;
        socket.ask(&json!({"token": token})).await;
        matches!(socket.next().await, Seen::Frame(frame) if frame["type"] == "subscribed").then_some(socket)
    })
    .await;

    let (code, _) = app.connect().await.closed().await;

    assert_eq!(code, 4401);
    member.hears_nothing().await;
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_auth_the_channels_of_accounts_alone_are_closed_and_only_until_it_comes() {
    let test = testkit::database::TestDb::sqlite().await;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let url = format!("http://{address}");
    let app = TestApp::start_with(&test, &[("internal.auth_url", &url)]).await;
    let auth = FakeAuth::start();
    let (token, _) = auth.token(AccountId::new(), None, SystemClock.now());
    let mut socket = app.member("a").await;

    assert!(app.host.is_ready().await);
    socket.ask(&json!({"token": token})).await;
    let refused = socket.frame("refused").await;
    app.backend.publish("a", &json!(1)).await;

    assert_eq!(refused["problem"]["status"], 503, "{refused}");
    assert_eq!(refused["problem"]["type"], "urn:problem:unavailable", "{refused}");
    assert_eq!(socket.message().await, (1, json!(1)), "others are served");
    let _auth = auth.at(address);
    let joined = wait_for("the keys of auth", || async {
        let mut socket = app.connect().await;
        socket.ask(&json!({"token": token})).await;
        match socket.next().await {
            Seen::Frame(frame) if frame["type"] == "subscribed" => Some(frame),
            _ => None,
        }
    });
    assert!(joined.await["channel"].as_str().unwrap().starts_with("account:"));
    app.host.stop().await;
}
