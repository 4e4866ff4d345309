//! Delivery over websockets.

use common::models::Clock;
use common::models::SystemClock;
use futures_util::FutureExt;
use serde_json::json;
use testkit::wait::wait_until;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Seen, TestApp};

testkit::on_both! {
    async fn backlog_then_live_and_what_was_not_answered_comes_again(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        for number in 1..=3 {
            alice.send(&bob, &format!("backlog {number}")).await.assert_status(200);
        }

        let mut socket = bob.connect().await;
        let mut ids = Vec::new();
        for number in 1..=3 {
            let (id, seq, text) = socket.envelope().await;
            assert_eq!((seq, text), (number, format!("backlog {number}")));
            ids.push(id);
        }
        for id in ids {
            socket.answer(id, 200).await;
        }
        assert_eq!(socket.queue_empty().await, 3);
        alice.send(&bob, "live 4").await.assert_status(200);
        alice.send(&bob, "live 5").await.assert_status(200);
        let (fourth, ..) = socket.envelope().await;
        let (_, seq, _) = socket.envelope().await;
        assert_eq!(seq, 5);
        socket.answer(fourth, 500).await;
        drop(socket);

        let mut socket = bob.connect().await;
        for (number, text) in [(4, "live 4"), (5, "live 5")] {
            let (id, seq, got) = socket.envelope().await;
            assert_eq!((seq, got.as_str()), (number, text));
            socket.answer(id, 200).await;
        }
        assert_eq!(socket.queue_empty().await, 5);
        wait_until("the acks are stored", || async { bob.fetch_all().await.is_empty() }).await;
        app.host.stop().await;
    }

    async fn a_long_backlog_comes_in_order_page_by_page(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.window", "16"), ("mailbox.window_bytes", "100")]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        for number in 1..=60 {
            alice.send(&bob, &format!("number {number:03}")).await.assert_status(200);
        }

        let mut socket = bob.connect().await;
        for number in 1..=60 {
            let (id, seq, _) = socket.envelope().await;
            assert_eq!(seq, number);
            socket.answer(id, 200).await;
        }

        assert_eq!(socket.queue_empty().await, 60);
        wait_until("the acks are stored", || async { bob.fetch_all().await.is_empty() }).await;
        app.host.stop().await;
    }

    async fn a_client_that_does_not_answer_gets_a_window_and_no_more(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.window", "8")]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        for number in 1..=20 {
            alice.send(&bob, &format!("{number}")).await.assert_status(200);
        }
        let mut socket = bob.connect().await;
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(socket.envelope().await.0);
        }

        socket.text(r#"{"type":"request","id":1,"verb":"GET","path":"/v1/keepalive"}"#).await;

        // The answer to what was asked last comes next, so nothing was sent in between.
        assert_eq!(socket.next().await, Seen::Frame(json!({"type": "response", "id": 1, "status": 200})));
        assert!(socket.next().now_or_never().is_none());
        for id in ids {
            socket.answer(id, 200).await;
        }
        assert_eq!(socket.envelope().await.1, 9);
        app.host.stop().await;
    }

    async fn the_same_device_elsewhere_takes_over(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let mut first = bob.connect().await;
        assert_eq!(first.queue_empty().await, 0);

        let mut second = bob.connect().await;

        assert_eq!(first.closed().await, 4409);
        assert_eq!(second.queue_empty().await, 0);
        alice.send(&bob, "x").await.assert_status(200);
        assert_eq!(second.envelope().await.1, 1);
        assert!(app.metrics().await.contains("sealpost_mailbox_sockets{service=\"mailbox\"} 1"));
        app.host.stop().await;
    }

    async fn a_revocation_closes_the_socket_at_once(test: TestDb) {
        let app = TestApp::start(&test).await;
        let now = SystemClock.now().as_i64();
        let (one, two, three, four) =
            (app.device().await, app.device().await, app.device().await, app.device().await);
        let mut sockets = Vec::new();
        for device in [&one, &two, &three, &four] {
            let mut socket = device.connect().await;
            socket.queue_empty().await;
            sockets.push(socket);
        }

        let events = [
            json!({"type": "session.revoked", "accountId": one.account, "at": now, "sessionId": one.session}),
            json!({"type": "account.deleted", "accountId": two.account, "at": now}),
            json!({"type": "device.removed", "accountId": three.account, "at": now, "deviceId": 1,
                "generation": three.generation}),
        ];
        for event in &events {
            app.nudge(event).await;
        }
        app.close(&four, four.generation).await.assert_status(204);

        // By hints: the patrol comes minutes after the test has given up.
        for socket in sockets {
            assert_eq!(socket.closed().await, 4401);
        }
        app.host.stop().await;
    }

    async fn a_device_without_a_mailbox_is_sent_away(test: TestDb) {
        let app = TestApp::start(&test).await;
        let gone = app.device().await;
        app.close(&gone, gone.generation).await.assert_status(204);

        assert_eq!(gone.connect().await.closed().await, 4401);
        app.host.stop().await;
    }

    async fn frames_that_are_none_close_the_socket(test: TestDb) {
        let app = TestApp::start(&test).await;
        let frames = [
            Message::text("hello"),
            Message::text(r#"{"type":"response","id":"1","status":200}"#),
            Message::text(r#"{"type":"else"}"#),
            Message::binary(vec![1, 2, 3]),
        ];
        for frame in frames {
            let mut socket = app.device().await.connect().await;
            socket.queue_empty().await;

            socket.message(frame).await;

            assert_eq!(socket.closed().await, 1007);
        }
        let mut socket = app.device().await.connect().await;
        socket.queue_empty().await;
        socket.text(&"x".repeat(70_000)).await;
        assert_eq!(socket.closed().await, 1009);
        app.host.stop().await;
    }

    async fn other_requests_are_answered_404_and_strange_answers_ignored(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let mut socket = bob.connect().await;
        socket.queue_empty().await;

        socket.answer(4711, 200).await;
        socket.text(r#"{"type":"request","id":9,"verb":"DELETE","path":"/v1/message","body":{}}"#).await;

        let Seen::Frame(answer) = socket.next().await else { panic!("closed") };
        assert_eq!((&answer["id"], &answer["status"]), (&json!(9), &json!(404)));
        assert_eq!(answer["body"]["type"], "urn:problem:not-found");
        alice.send(&bob, "x").await.assert_status(200);
        assert_eq!(socket.envelope().await.1, 1);
        app.host.stop().await;
    }

    async fn low_prekeys_are_told_on_the_socket(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let mut socket = bob.connect().await;
        socket.queue_empty().await;

        app.nudge(&json!({"type": "keys.low", "accountId": bob.account, "at": 1, "deviceId": 1, "kind": "ec",
            "remaining": 4})).await;

        assert_eq!(socket.request("/v1/keys/low").await.1, json!({"kind": "ec", "remaining": 4}));
        app.host.stop().await;
    }

    async fn low_prekeys_are_told_at_each_connect_until_there_are_enough(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let of_keys = |change: &str, kind: &str| json!({"type": format!("keys.{change}"), "accountId": bob.account,
            "at": 1, "deviceId": 1, "kind": kind, "remaining": 4});
        for kind in ["ec", "pq"] {
            app.nudge(&of_keys("low", kind)).await;
        }

        let mut first = bob.connect().await;
        first.queue_empty().await;
        assert_eq!(first.request("/v1/keys/low").await.1, json!({"kind": "ec", "remaining": 4}));
        assert_eq!(first.request("/v1/keys/low").await.1, json!({"kind": "pq", "remaining": 4}));
        app.nudge(&of_keys("stocked", "ec")).await;
        let mut second = bob.connect().await;
        second.queue_empty().await;
        assert_eq!(second.request("/v1/keys/low").await.1, json!({"kind": "pq", "remaining": 4}));
        app.nudge(&of_keys("stocked", "pq")).await;
        let mut third = bob.connect().await;
        third.queue_empty().await;
        app.nudge(&json!({"type": "keys.low", "accountId": bob.account, "at": 1, "deviceId": 1, "kind": "pq",
            "remaining": 3})).await;

        // Nothing came before what has just been said.
        assert_eq!(third.request("/v1/keys/low").await.1, json!({"kind": "pq", "remaining": 3}));
        app.host.stop().await;
    }

    async fn a_stopping_server_says_so_and_keeps_what_was_acked(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        alice.send(&bob, "one").await.assert_status(200);
        alice.send(&bob, "two").await.assert_status(200);
        let mut socket = bob.connect().await;
        let (first, ..) = socket.envelope().await;
        socket.envelope().await;
        socket.answer(first, 200).await;
        wait_until("the ack is stored", || async { bob.fetch_all().await.len() == 1 }).await;

        let (code, ()) = tokio::join!(socket.closed(), app.host.stop());

        assert_eq!(code, 1012);
    }

    async fn a_poll_that_waits_is_woken_by_a_send(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);

        // Longer than the client waits for an answer.
        let (page, ()) = tokio::join!(bob.fetch("timeout=30"), async {
            alice.send(&bob, "wake up").await.assert_status(200);
        });

        assert_eq!(page["messages"].as_array().unwrap().len(), 1);
        bob.ack(&json!({"ackSeq": 1})).await.assert_status(204);
        let nothing = bob.fetch("timeout=1").await;
        assert_eq!(nothing, json!({"messages": [], "more": false}));
        app.host.stop().await;
    }

    async fn a_poll_that_waits_ends_with_its_session(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let now = SystemClock.now().as_i64();

        let (answer, ()) = tokio::join!(bob.client.get("/v1/messages?timeout=20"), async {
            let event = json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
            app.nudge(&event).await;
        });

        answer.assert_status(401);
        app.host.stop().await;
    }
}
