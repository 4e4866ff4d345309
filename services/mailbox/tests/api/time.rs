//! What time removes.

use std::time::Duration;

use testkit::clock::FakeClock;
use testkit::wait::wait_until;

use crate::harness::TestApp;

const DAY: Duration = Duration::from_secs(24 * 3600);

testkit::on_both! {
    async fn envelopes_that_nobody_fetched_expire_in_batches_and_make_room(test: TestDb) {
        let clock = FakeClock::default();
        let settings = [
            ("mailbox.sweep_every", "50ms"),
            ("mailbox.sweep_batch", "3"),
            ("mailbox.max_envelopes", "10"),
            ("mailbox.ttl", "10m"),
        ];
        let app = TestApp::start_at(&test, &settings, clock.shared()).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        for number in 0..10 {
            alice.send(&bob, &format!("{number}")).await.assert_status(200);
        }
        alice.send(&carol, "old").await.assert_status(200);
        clock.advance(Duration::from_secs(300));
        alice.send(&carol, "young").await.assert_status(200);
        alice.send(&bob, "x").await.assert_status(507);

        clock.advance(Duration::from_secs(301));

        wait_until("the old ones are gone", || async {
            bob.fetch_all().await.is_empty() && carol.fetch_all().await.len() == 1
        })
        .await;
        assert_eq!(carol.fetch_all().await, [(2, "young".to_owned())]);
        for number in 11..=20 {
            alice.send(&bob, "x").await.assert_status(200);
            assert_eq!(bob.fetch("limit=100").await["messages"][0]["seq"], 11, "{number}");
        }
        app.host.stop().await;
    }

    async fn tombstones_are_forgotten_after_their_time(test: TestDb) {
        let clock = FakeClock::default();
        let settings = [("mailbox.sweep_every", "50ms"), ("mailbox.tombstone_ttl", "10days")];
        let app = TestApp::start_at(&test, &settings, clock.shared()).await;
        let bob = app.device().await;
        app.close(&bob, bob.generation).await.assert_status(204);
        clock.advance(DAY * 9);
        app.open(&bob, bob.generation, 1).await.assert_status(409);

        clock.advance(DAY * 2);

        wait_until("the tombstone is gone", || async {
            app.open(&bob, bob.generation, 1).await.status == 204
        })
        .await;
        app.host.stop().await;
    }
}
