//! Messages for devices that are connected, and for nobody else.

use std::time::Duration;

use common::models::AccountId;
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

use crate::harness::{Device, REGISTRATION, Socket, TestApp, copy, message};

fn online(copies: &[Value]) -> Value {
    let mut body = message(copies);
    body["online"] = json!(true);
    body
}

/// Sends a typing indicator to the one device of `to`, and checks that the answer says what became of it.
async fn pass_on(from: &Device, to: &Device) -> Value {
    let body = online(&[copy(to.id, REGISTRATION, b"is typing")]);
    let receipt = from.client.put(&to.path(), &body).await.expect(200).value();
    assert_eq!((&receipt["online"], &receipt["devices"][0]["deviceId"]), (&json!(true), &json!(to.id)));
    receipt
}

/// On a clock that stands still: what is seconds old is passed on to nobody.
async fn start(test: &TestDb, more: &[(&str, &str)]) -> TestApp {
    TestApp::start_at(test, more, FakeClock::default().shared()).await
}

async fn connected(device: &Device) -> Socket {
    let mut socket = device.connect().await;
    socket.queue_empty().await;
    socket
}

testkit::on_both! {
    async fn it_reaches_a_socket_and_is_kept_nowhere(test: TestDb) {
        let app = start(&test, &[]).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        let mut socket = connected(&bob).await;

        let receipt = pass_on(&alice, &bob).await;
        pass_on(&alice, &carol).await;

        let (_, envelope) = socket.request("/v1/message/online").await;
        assert_eq!(
            envelope,
            json!({"guid": receipt["devices"][0]["guid"], "type": 1, "sourceAccount": alice.account, "sourceDevice": 1,
                "timestamp": 1_700_000_000_000_i64, "serverTimestamp": receipt["serverTimestamp"],
                "content": "aXMgdHlwaW5n"})
        );
        // It takes no place in the mailbox, and needs no answer.
        alice.send(&bob, "stored").await.assert_status(200);
        assert_eq!(socket.envelope().await.1, 1);
        assert!(carol.fetch_all().await.is_empty());
        let mut late = carol.connect().await;
        assert_eq!(late.queue_empty().await, 0);
        app.host.stop().await;
    }

    async fn a_key_is_neither_used_nor_used_up_by_it(test: TestDb) {
        let app = start(&test, &[]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let mut socket = connected(&bob).await;
        let body = online(&[copy(1, REGISTRATION, b"x")]);

        for _ in 0..2 {
            let answer = alice.send_keyed(&bob, &body, "key").await.expect(200);
            assert_eq!(answer.header("idempotent-replay"), None);
            socket.request("/v1/message/online").await;
        }

        let stored = message(&[copy(1, REGISTRATION, b"y")]);
        alice.send_keyed(&bob, &stored, "key").await.assert_status(200);
        app.host.stop().await;
    }

    async fn it_is_refused_like_any_other_message(test: TestDb) {
        let app = start(&test, &[("mailbox.max_content_bytes", "10")]).await;
        let account = AccountId::new();
        let (phone, tablet) = (app.device_of(account, 1).await, app.device_of(account, 2).await);
        let alice = app.device().await;
        let mut socket = connected(&phone).await;
        let cases = [
            (vec![copy(1, REGISTRATION, b"x")], 409, "device-set-mismatch"),
            (vec![copy(1, 7, b"x"), copy(2, REGISTRATION, b"x")], 410, "stale-devices"),
            (vec![copy(1, REGISTRATION, b""), copy(2, REGISTRATION, b"x")], 422, "empty-content"),
            (vec![copy(1, REGISTRATION, b"01234567890"), copy(2, REGISTRATION, b"x")], 413, "too-large"),
        ];
        for (copies, status, slug) in cases {
            let problem = alice.client.put(&phone.path(), &online(&copies)).await.expect(status).problem();

            assert_eq!(problem.slug(), slug);
        }
        let nobody = app.stranger(AccountId::new(), 1);
        let one = online(&[copy(1, REGISTRATION, b"x")]);
        alice.client.put(&nobody.path(), &one).await.assert_status(404);

        // Nothing of all that was passed on: the next frame is this one.
        let sync = online(&[copy(1, REGISTRATION, b"sync")]);
        tablet.client.put(&phone.path(), &sync).await.assert_status(200);
        let (_, envelope) = socket.request("/v1/message/online").await;
        assert_eq!(envelope["sourceDevice"], 2);
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reaches_a_socket_of_another_process_while_it_is_fresh() {
    let (test, vhost, clock) = (TestDb::postgres().await, vhost().await, FakeClock::default());
    // Without a patrol, envelopes from the other process tell that the broker has bound a new socket's shard.
    let live = [("live.url", vhost.url()), ("mailbox.recheck_away", "1h")];
    let here = TestApp::start_at(&test, &live, clock.shared()).await;
    let (ahead, late) = (FakeClock::default(), FakeClock::default());
    late.advance(Duration::from_secs(10));
    let there = here.sibling_at(&test, &live, ahead.shared()).await;
    let later = here.sibling_at(&test, &live, late.shared()).await;
    let (alice, bob, carol) = (here.device().await, here.device().await, here.device().await);
    let (mut fresh, mut stale) = (connected(&bob.at(&there)).await, connected(&carol.at(&later)).await);
    for (device, socket) in [(&bob, &mut fresh), (&carol, &mut stale)] {
        // The first may be on the page that each socket begins with.
        for _ in 0..2 {
            alice.send(device, "stored").await.assert_status(200);
            let (id, ..) = socket.envelope().await;
            socket.answer(id, 200).await;
            wait_until("the ack", || async { device.fetch_all().await.is_empty() }).await;
        }
    }

    pass_on(&alice, &bob).await;
    pass_on(&alice, &carol).await;
    alice.send(&carol, "after it").await.assert_status(200);

    let (_, envelope) = fresh.request("/v1/message/online").await;
    assert_eq!(envelope["sourceAccount"], json!(alice.account));
    assert_eq!(stale.envelope().await.2, "after it", "ten seconds later it is of no use");
    for app in [later, there, here] {
        app.host.stop().await;
    }
}
