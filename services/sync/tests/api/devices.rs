//! Synchronized devices: what relay is told of them, and what ends them.

use std::time::Duration;

use common::models::{AccountId, Clock as _, SystemClock};
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{PASSWORD, PHONE, Phone, Socket, TestApp, last};

/// Synchronizes one more device; gives the id of its session and its key.
async fn synchronized(app: &TestApp) -> (String, String) {
    let session = last(&app.begin().await);
    let handshake = format!("/v2/sync/users/{}/sessions/{session}/handshake", app.account);
    let phone = Phone::new();
    let answer = phone.synchronize(&app.host.http, &handshake, PASSWORD).await.expect(200).value();
    (session, phone.decrypt(answer["shared_key"].as_str().unwrap(), "sha1"))
}

fn entry((session, key): &(String, String)) -> Value {
    json!({"sessionId": session, "key": key})
}

on_both! {
    async fn every_device_has_a_key_of_its_own_and_the_newest_comes_first(db: TestDb) {
        let clock = FakeClock::at(SystemClock.now());
        let app = TestApp::start_at(&db, &[("sync.max_devices", "2")], clock.shared()).await;

        let first = synchronized(&app).await;
        clock.advance(Duration::from_secs(1));
        let second = synchronized(&app).await;
        let both = app.shared_keys(PHONE).await.expect(200).value();
        clock.advance(Duration::from_secs(1));
        let third = synchronized(&app).await;
        let most = app.shared_keys(PHONE).await.expect(200).value();

        let user = app.account;
        assert_eq!(both, json!({"userId": user, "keys": [entry(&second), entry(&first)]}));
        assert_eq!(most, json!({"userId": user, "keys": [entry(&third), entry(&second)]}));
        assert_ne!(first.1, second.1);
    }

    async fn a_user_sees_the_devices_and_forgets_one(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (first, second) = (synchronized(&app).await, synchronized(&app).await);
        let listed = app.user().get("/v1/sync/devices").await.expect(200).value();
        let stranger = app.logged_in(AccountId::new());

        let others = stranger.get("/v1/sync/devices").await.expect(200).value();
        let path = format!("/v1/sync/devices/{}", first.0);
        stranger.delete(&path).await.assert_status(404);
        app.host.http.get("/v1/sync/devices").await.assert_status(401);
        app.user().delete(&path).await.assert_status(204);
        let again = app.user().delete(&path).await.expect(404).problem();

        let mut ids: Vec<&str> =
            listed["devices"].as_array().unwrap().iter().map(|one| one["sessionId"].as_str().unwrap()).collect();
        let mut expected = [&*first.0, &*second.0];
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{listed}");
        assert_eq!(others, json!({"devices": []}));
        assert_eq!(again.slug(), "device-not-found");
        assert_eq!(app.shared_keys(PHONE).await.expect(200).value()["keys"], json!([entry(&second)]));
    }

    async fn keys_are_for_other_services_alone_and_for_numbers_that_somebody_has(db: TestDb) {
        let app = TestApp::start(&db).await;
        let none = app.shared_keys(PHONE).await.expect(200).value();

        let unknown = app.shared_keys("+237677999999").await.expect(404).problem();
        app.shared_keys("677123456").await.assert_status(400);
        let (path, body) = ("/internal/sync/v1/shared-keys", json!({"phone": PHONE}));
        app.host.internal.with_token("not the credential").post(path, &body).await.assert_status(401);
        app.user().post(path, &body).await.assert_status(404);

        assert_eq!(none, json!({"userId": app.account, "keys": []}));
        assert_eq!(unknown.slug(), "user-not-found");
    }

    async fn after_another_data_key_devices_synchronize_again_and_are_not_held_up_by_the_earlier_ones(db: TestDb) {
        let app = TestApp::start(&db).await;
        synchronized(&app).await;
        let app = app.sibling(&db, &[("sync.data_key", "YW5vdGhlciBkYXRhIGtleSBvZiB0aGUgc3luYyB0ZXM")]).await;
        let none = app.shared_keys(PHONE).await.expect(200).value();

        let again = synchronized(&app).await;

        assert_eq!(none["keys"], json!([]));
        assert_eq!(app.shared_keys(PHONE).await.expect(200).value()["keys"], json!([entry(&again)]));
    }

    async fn a_deleted_account_takes_everything_with_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        synchronized(&app).await;
        let mut socket = Socket::open(&app.begin().await).await;
        socket.text().await;

        let event = json!({"type": "account.deleted", "accountId": app.account, "at": SystemClock.now()});
        app.nudge(&event).await;
        app.nudge(&event).await;

        assert_eq!(app.shared_keys(PHONE).await.expect(200).value()["keys"], json!([]));
        assert_eq!(app.count("sync_sessions").await + app.count("synchronized_devices").await, 0);
        assert_eq!(socket.rest().await, [crate::harness::over()]);
    }

    async fn devices_are_kept_for_the_time_of_the_settings(db: TestDb) {
        let clock = FakeClock::at(SystemClock.now());
        let swept = [("sync.sweep_every", "20ms"), ("sync.sweep_batch", "2"), ("sync.device_ttl", "10days")];
        let app = TestApp::start_at(&db, &swept, clock.shared()).await;
        for _ in 0..3 {
            synchronized(&app).await;
        }
        clock.advance(Duration::from_secs(9 * 24 * 3600));
        let late = synchronized(&app).await;

        clock.advance(Duration::from_secs(2 * 24 * 3600));

        wait_until("the old ones to be gone", async || app.count("synchronized_devices").await == 1).await;
        assert_eq!(app.shared_keys(PHONE).await.expect(200).value()["keys"], json!([entry(&late)]));
    }

    async fn sessions_that_nobody_finishes_are_removed_and_devices_stay(db: TestDb) {
        let clock = FakeClock::at(SystemClock.now());
        let swept = [("sync.sweep_every", "100ms"), ("sync.sweep_batch", "2")];
        let app = TestApp::start_at(&db, &swept, clock.shared()).await;
        synchronized(&app).await;
        for _ in 0..5 {
            app.begin().await;
        }
        assert_eq!(app.count("sync_sessions").await, 6);

        clock.advance(Duration::from_secs(3 * 15 + 120));

        let empty = async || app.count("sync_sessions").await == 0;
        wait_until("the sessions to be swept", empty).await;
        assert_eq!(app.count("synchronized_devices").await, 1);
    }
}
