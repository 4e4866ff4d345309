//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::models::AccountId;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{REGISTRATION, TestApp, copy, message};

testkit::on_both! {
    async fn concurrent_sends_leave_no_gap_and_are_all_there(test: TestDb) {
        let app = TestApp::start(&test).await;
        let other = app.sibling(&test, &[]).await;
        let bob = app.device().await;
        let senders = join_all((0..64).map(|_| app.device())).await;

        let sends = senders.iter().enumerate().map(|(number, sender)| {
            let sender = if number % 2 == 0 { sender.clone() } else { sender.at(&other) };
            let bob = &bob;
            async move {
                for round in 0..5 {
                    sender.send(bob, &format!("{number}/{round}")).await.assert_status(200);
                }
            }
        });
        join_all(sends).await;

        let got = bob.fetch_all().await;
        let seqs: Vec<i64> = got.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=320).collect::<Vec<_>>());
        for number in 0..64 {
            let prefix = format!("{number}/");
            let mine: Vec<_> = got.iter().filter_map(|(_, text)| text.strip_prefix(&prefix)).collect();
            assert_eq!(mine, ["0", "1", "2", "3", "4"]);
        }
        other.host.stop().await;
        app.host.stop().await;
    }

    async fn counters_stay_right_when_acks_and_sends_meet(test: TestDb) {
        // Room for so few that any envelope counted wrongly shows.
        let app = TestApp::start_with(&test, &[("mailbox.max_envelopes", "20"), ("mailbox.max_bytes", "100000")]).await;
        let (alice, bob) = (app.device().await, app.device().await);

        for _ in 0..10 {
            let sends = join_all((0..20).map(|_| alice.send(&bob, "0123456789")));
            let acks = join_all((0..10).map(|_| async {
                let page = bob.fetch("limit=5").await;
                let guids: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| &m["guid"]).collect();
                bob.ack(&json!({"guids": guids})).await.assert_status(204);
            }));
            tokio::join!(sends, acks);
        }

        let held = bob.fetch_all().await;
        for _ in held.len()..20 {
            alice.send(&bob, "0123456789").await.assert_status(200);
        }
        alice.send(&bob, "one too many").await.assert_status(507);
        assert_eq!(bob.fetch_all().await.len(), 20);
        app.host.stop().await;
    }

    async fn a_device_that_is_linked_during_sends_misses_none_after_it(test: TestDb) {
        let app = TestApp::start(&test).await;
        let alice = app.device().await;
        for _ in 0..5 {
            let account = AccountId::new();
            let first = app.device_of(account, 1).await;
            let second = app.stranger(account, 2);
            let linked = Arc::new(AtomicBool::new(false));

            let sender = async {
                let mut stored_after = 0;
                for number in 0.. {
                    let was_linked = linked.load(Ordering::SeqCst);
                    let alone = message(&[copy(1, REGISTRATION, format!("{number}").as_bytes())]);
                    let answer = alice.client.put(&first.path(), &alone).await;
                    // Once the mailbox is open, no send may pass over it.
                    assert!(!(was_linked && answer.status == 200), "send {number} skipped a device");
                    if answer.status == 409 {
                        assert_eq!(answer.problem().extensions["missingDevices"], json!([2]));
                        let both = message(&[copy(1, REGISTRATION, b"both"), copy(2, REGISTRATION, b"both")]);
                        alice.client.put(&first.path(), &both).await.assert_status(200);
                        stored_after += 1;
                    }
                    if stored_after == 3 {
                        return;
                    }
                }
            };
            let linker = async {
                app.open(&second, second.generation, REGISTRATION).await.assert_status(204);
                linked.store(true, Ordering::SeqCst);
            };
            tokio::join!(sender, linker);

            assert_eq!(second.fetch_all().await.len(), 3);
        }
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_only_sends_that_need_a_decision_get_one() {
    let test = testkit::database::TestDb::postgres().await;
    let app = TestApp::start(&test).await;
    let (alice, bob) = (app.device().await, app.device().await);
    // The first envelope calls for an event, and a device that is not there for a refusal.
    alice.send(&bob, "first").await.assert_status(200);
    let elsewhere = message(&[copy(9, REGISTRATION, b"nowhere")]);
    alice.client.put(&bob.path(), &elsewhere).await.assert_status(409);

    for _ in 0..5 {
        alice.send(&bob, "one more").await.assert_status(200);
    }

    let metrics = app.metrics().await;
    assert!(metrics.contains("sealpost_mailbox_sends_decided_total{service=\"mailbox\"} 2\n"), "{metrics}");
    assert_eq!(bob.fetch_all().await.len(), 6);
    app.host.stop().await;
}
