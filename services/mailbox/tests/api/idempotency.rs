//! The same send again.

use std::time::Duration;

use common::models::Clock;
use futures_util::future::join_all;
use serde_json::json;
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::obstacle::Obstacle;

use crate::harness::{REGISTRATION, TestApp, copy, message};

testkit::on_both! {
    async fn the_same_request_gets_the_first_answer(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let body = message(&[copy(1, REGISTRATION, b"once")]);

        let first = alice.send_keyed(&bob, &body, "key-1").await.expect(200);
        let again = alice.send_keyed(&bob, &body, "key-1").await.expect(200);

        assert_eq!((first.header("idempotent-replay"), again.header("idempotent-replay")), (None, Some("true")));
        assert_eq!(first.value(), again.value());
        assert_eq!(bob.fetch_all().await, [(1, "once".to_owned())]);
        app.host.stop().await;
    }

    async fn a_key_stands_for_one_request_of_one_device(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        let body = message(&[copy(1, REGISTRATION, b"once")]);
        alice.send_keyed(&bob, &body, "key").await.assert_status(200);
        let mut later = body.clone();
        later["timestamp"] = json!(1);
        let other = message(&[copy(1, REGISTRATION, b"else")]);

        for (to, body) in [(&bob, &other), (&bob, &later), (&carol, &body)] {
            let refused = alice.send_keyed(to, body, "key").await.expect(422);
            assert_eq!(refused.problem().slug(), "idempotency-key-reused");
        }
        let of_carol = carol.send_keyed(&bob, &body, "key").await.expect(200);

        assert_eq!(of_carol.header("idempotent-replay"), None);
        assert_eq!(bob.fetch_all().await.len(), 2);
        assert!(carol.fetch_all().await.is_empty());
        app.host.stop().await;
    }

    async fn a_refusal_is_not_remembered(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let wrong = message(&[copy(1, REGISTRATION + 1, b"x")]);
        let right = message(&[copy(1, REGISTRATION, b"x")]);

        alice.send_keyed(&bob, &wrong, "key").await.assert_status(410);
        alice.send_keyed(&bob, &wrong, "key").await.assert_status(410);

        alice.send_keyed(&bob, &right, "key").await.assert_status(200);
        app.host.stop().await;
    }

    async fn of_equal_sends_at_once_one_is_stored(test: TestDb) {
        let app = TestApp::start(&test).await;
        let other = app.sibling(&test, &[]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let there = alice.at(&other);
        let body = message(&[copy(1, REGISTRATION, b"once")]);

        let sends = (0..32).map(|n| if n % 2 == 0 { &alice } else { &there });
        let answers = join_all(sends.map(|device| device.send_keyed(&bob, &body, "key"))).await;

        let first = answers[0].value();
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), answer.value()), (200, first.clone()));
        }
        let stored = answers.iter().filter(|answer| answer.header("idempotent-replay").is_none()).count();
        assert_eq!(stored, 1);
        assert_eq!(bob.fetch_all().await.len(), 1);
        other.host.stop().await;
        app.host.stop().await;
    }

    async fn of_two_requests_with_one_key_at_once_one_is_stored(test: TestDb) {
        let app = TestApp::start(&test).await;
        let other = app.sibling(&test, &[]).await;
        let alice = app.device().await;
        let there = alice.at(&other);
        for round in 0..8 {
            let (bob, carol) = (app.device().await, app.device().await);
            let (body, key) = (message(&[copy(1, REGISTRATION, b"x")]), format!("key-{round}"));

            let (one, two) =
                tokio::join!(alice.send_keyed(&bob, &body, &key), there.send_keyed(&carol, &body, &key));

            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 422]);
            assert_eq!(bob.fetch_all().await.len() + carol.fetch_all().await.len(), 1);
        }
        other.host.stop().await;
        app.host.stop().await;
    }

    async fn a_key_is_forgotten_after_its_time(test: TestDb) {
        let clock = FakeClock::default();
        let app = TestApp::start_at(&test, &[("mailbox.idempotency_ttl", "1m")], clock.shared()).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let body = message(&[copy(1, REGISTRATION, b"again and again")]);
        alice.send_keyed(&bob, &body, "key").await.assert_status(200);
        let before = clock.now();

        clock.advance(Duration::from_secs(59));
        let remembered = alice.send_keyed(&bob, &body, "key").await.expect(200);
        clock.advance(Duration::from_secs(2));
        let forgotten = alice.send_keyed(&bob, &body, "key").await.expect(200);
        let anew = alice.send_keyed(&bob, &body, "key").await.expect(200);

        let replayed = [&remembered, &forgotten, &anew].map(|answer| answer.header("idempotent-replay").is_some());
        assert_eq!(replayed, [true, false, true]);
        assert_eq!(remembered.value()["serverTimestamp"], before.as_i64());
        assert_eq!(anew.value(), forgotten.value());
        assert_eq!(bob.fetch_all().await.len(), 2);
        app.host.stop().await;
    }
}

/// Each process looks for the key and stores it with one statement, whose snapshot is as old as its wait for the mailbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_key_that_comes_during_the_wait_for_a_mailbox_counts() {
    let test = TestDb::postgres().await;
    let app = TestApp::start(&test).await;
    let other = app.sibling(&test, &[]).await;
    let (alice, bob) = (app.device().await, app.device().await);
    let there = alice.at(&other);
    // From then on there is nothing to decide about sends to Bob.
    alice.send(&bob, "first").await.assert_status(200);
    let [same, different] = [&b"same"[..], b"else"].map(|text| message(&[copy(1, REGISTRATION, text)]));

    let both = held_up(&test, async {
        tokio::join!(alice.send_keyed(&bob, &same, "one"), there.send_keyed(&bob, &same, "one"))
    });
    let (here, away) = both.await;
    let reused = held_up(&test, async {
        tokio::join!(alice.send_keyed(&bob, &same, "two"), there.send_keyed(&bob, &different, "two"))
    });
    let (one, two) = reused.await;

    assert_eq!((here.status.as_u16(), away.status.as_u16()), (200, 200), "{} {}", here.text(), away.text());
    assert_eq!(here.value(), away.value());
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    assert_eq!(bob.fetch_all().await.len(), 3);
    other.host.stop().await;
    app.host.stop().await;
}

/// Carries out two sends that both wait for a mailbox before either is stored.
async fn held_up<T>(test: &TestDb, sends: impl Future<Output = T>) -> T {
    Obstacle::new(test, "SELECT 1 FROM mailbox.mailboxes FOR UPDATE").clear_for(2, sends).await
}
