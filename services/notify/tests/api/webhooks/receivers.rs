//! Receivers that fail, are slow, refuse, or want nothing any more.

use std::time::{Duration, Instant};

use common::models::{Clock as _, SystemClock};
use serde_json::json;
use testkit::clock::FakeClock;
use testkit::wait::wait_until;
use testkit::webhooks::{Receiver, SECRET};

use super::{PRESENCE, all_told, borrowed, come, hook, settings, start};
use crate::harness::TestApp;
use crate::time::count;

testkit::on_both! {
    async fn a_receiver_that_fails_in_every_way_gets_everything_in_order_under_the_same_ids(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let mut own = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)]);
        // One request has to be given up.
        own.push(("notify.webhook_delivery.timeout", "8s".to_owned()));
        let app = start(&test, &own).await;
        receiver.answer(&json!({"statuses": [500, 0, -1, 503, 307, 204, 429, 0]})).await;

        let mut members = Vec::new();
        for name in ["alice", "bob", "carol"] {
            members.push(come(&app, "a", name).await);
            // Each comes in a transaction of its own.
            app.wait_present("a", members.len()).await;
        }
        let taken = receiver.taken(3).await;

        let of = |name| ("presence.enter", "a", name);
        assert_eq!(all_told(&taken), ["alice", "bob", "carol"].map(of));
        let all = receiver.all().await;
        assert_eq!(all.len(), 10, "{all:?}");
        assert!(all[..6].iter().all(|one| one.id == taken[0].id && one.body == taken[0].body), "{all:?}");
        app.host.stop().await;
    }

    async fn a_pause_that_is_asked_for_is_kept(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let app = start(&test, &settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)])).await;
        receiver.answer(&json!({"statuses": [429], "retryAfter": 2})).await;

        let begun = Instant::now();
        let _alice = come(&app, "a", "alice").await;
        receiver.taken(1).await;

        assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
        app.host.stop().await;
    }

    async fn a_dead_receiver_holds_nobody_up_and_gets_everything_when_it_is_back(test: TestDb) {
        let (dead, living) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
        dead.answer(&json!({"statuses": [], "always": -2})).await;
        let hooks = [
            hook("dead", &dead.url("hook"), &[SECRET], &PRESENCE),
            hook("living", &living.url("hook"), &[SECRET], &PRESENCE),
        ];
        let mut own = settings(&hooks);
        // Nothing that waited for the receiver would come to an end before it is back.
        own.push(("notify.webhook_delivery.timeout", "1h".to_owned()));
        let app = start(&test, &own).await;

        let mut members = Vec::new();
        for number in 0..40 {
            members.push(come(&app, &format!("channel-{number}"), "alice").await);
        }
        for number in 0..40 {
            app.backend.publish(&format!("channel-{number}"), &json!(number)).await;
        }
        living.taken(40).await;
        dead.answer(&json!({"statuses": []})).await;
        let late = dead.taken(40).await;

        let mut channels: Vec<String> = late.iter().map(|one| one.body["channel"].to_string()).collect();
        channels.sort_unstable();
        channels.dedup();
        assert_eq!(channels.len(), 40);
        app.host.stop().await;
    }

    async fn what_a_receiver_refuses_is_not_sent_again_and_the_next_comes(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let app = start(&test, &settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)])).await;
        receiver.answer(&json!({"statuses": [400]})).await;

        let _alice = come(&app, "a", "alice").await;
        receiver.asked(1).await;
        let _bob = come(&app, "a", "bob").await;

        assert_eq!(all_told(&receiver.taken(1).await), [("presence.enter", "a", "bob")]);
        assert_eq!(receiver.all().await.len(), 2);
        let dead = app.metric("webhook_dead_total", r#"reason="refused",webhook="team",service="notify""#).await;
        assert_eq!(dead, 1);
        app.host.stop().await;
    }

    async fn a_receiver_that_wants_nothing_is_left_alone_until_the_next_start(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let settings = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)]);
        let app = start(&test, &settings).await;
        receiver.answer(&json!({"statuses": [410]})).await;

        let _alice = come(&app, "a", "alice").await;
        let stopped = r#"webhook="team",service="notify""#;
        wait_until("the end", async || app.metric("webhook_stopped", stopped).await == 1).await;
        let _bob = come(&app, "a", "bob").await;
        app.wait_present("a", 2).await;
        assert_eq!(receiver.all().await.len(), 1);
        app.host.stop().await;
        let app = start(&test, &settings).await;
        let _carol = come(&app, "b", "carol").await;

        assert_eq!(all_told(&receiver.taken(1).await), [("presence.enter", "b", "carol")]);
        app.host.stop().await;
    }

    async fn what_is_dropped_is_told_by_the_next_event(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let mut own = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)]);
        own.push(("notify.webhook_backlog", "2".to_owned()));
        let app = start(&test, &own).await;
        receiver.answer(&json!({"statuses": [], "always": 503})).await;

        let mut members = Vec::new();
        for (count, name) in ["alice", "bob", "carol", "dave", "eve"].iter().enumerate() {
            members.push(come(&app, "a", name).await);
            app.wait_present("a", count + 1).await;
        }
        receiver.answer(&json!({"statuses": []})).await;
        receiver.taken(2).await;
        // What was taken makes room when its answer is there.
        let db = app.host.database("notify");
        wait_until("room", async || count(&db, "webhook_events").await == 0).await;
        let _frank = come(&app, "b", "frank").await;
        let all = receiver.taken(3).await;

        let missed: Vec<_> = all.iter().map(|one| one.body["missed"].as_i64()).collect();
        assert_eq!(missed, [None, None, Some(3)]);
        assert_eq!(all_told(&all)[2], ("presence.enter", "b", "frank"));
        app.host.stop().await;
    }

    async fn what_is_too_old_is_dropped_and_told(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let mut own = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &PRESENCE)]);
        own.push(("notify.webhook_delivery.max_age", "60s".to_owned()));
        own.push(("notify.presence_lease", "1h".to_owned()));
        // The receiver takes no request of another time than its own, by five minutes.
        let clock = FakeClock::at(SystemClock.now());
        let app = TestApp::start_at(&test, &borrowed(&own), clock.shared()).await;
        receiver.answer(&json!({"statuses": [], "always": 503})).await;

        let _alice = come(&app, "a", "alice").await;
        let db = app.host.database("notify");
        wait_until("a try", async || count(&db, "webhook_queues WHERE attempts > 0").await == 1).await;
        clock.advance(Duration::from_secs(61));
        let dead = r#"reason="age",webhook="team",service="notify""#;
        wait_until("the end of alice's event", async || app.metric("webhook_dead_total", dead).await == 1).await;
        receiver.answer(&json!({"statuses": []})).await;
        let _bob = come(&app, "a", "bob").await;
        let all = receiver.taken(1).await;

        assert_eq!(all_told(&all), [("presence.enter", "a", "bob")]);
        assert_eq!(all[0].body["missed"], 1);
        app.host.stop().await;
    }
}
