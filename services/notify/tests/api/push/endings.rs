//! Where pushes end: at a push service's own limit, at ours, and with what gave the device its place.

use common::models::{AccountId, Clock as _, SessionId, SystemClock};
use db::DbError;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};
use testkit::database::{TestDb, administer};
use testkit::http::TestClient;
use testkit::obstacle::Obstacle;
use testkit::wait::wait_until;

use super::{SUBSCRIPTION, borrowed, device, read_on, refused, settings, start, subscribe};
use crate::harness::TestApp;
use crate::push::service::PushService;

testkit::on_both! {
    async fn what_is_too_large_for_a_push_service_goes_without_its_data(test: TestDb) {
        let (app, service) = start(&test).await;
        device(&app.backend, &app.host.url, "a", &service).await;
        service.answer(&json!({"statuses": [413]})).await;

        let body = json!({"channel": "a", "data": "hello", "push": {"carry": "data"}});
        app.backend.client.post("/v1/notify/messages", &body).await.assert_status(200);

        let all = service.received(2).await;
        let plain: Vec<&Value> = all.iter().map(|one| &one["plain"]).collect();
        let without = json!({"channel": "a", "offset": 1});
        assert_eq!(plain, [&json!({"channel": "a", "offset": 1, "data": "hello"}), &without]);
        app.host.stop().await;
    }

    async fn a_channel_has_so_many_devices_that_are_pushed_to_and_a_known_one_may_move(test: TestDb) {
        let service = PushService::start();
        let mut own = settings(&service);
        own.push(("notify.push.max_subscriptions", "2".to_owned()));
        let app = TestApp::start_with(&test, &borrowed(&own)).await;
        let first = device(&app.backend, &app.host.url, "a", &service).await;
        device(&app.backend, &app.host.url, "a", &service).await;
        let third = app.backend.issue(&json!({"channel": "a"})).await["token"].as_str().unwrap().to_owned();

        let third = TestClient::new(&app.host.url).with_token(&third);
        let answer = third.put(SUBSCRIPTION, &service.subscription("phone")).await;

        refused(answer, 422, "too-many-push-subscriptions");
        subscribe(&app.host.url, &first, &service.subscription("new-phone")).await;
        device(&app.backend, &app.host.url, "b", &service).await;
        app.host.stop().await;
    }

    async fn a_revoked_session_and_a_deleted_account_are_not_pushed_to(test: TestDb) {
        let (app, service) = start(&test).await;
        let narrow = app.backend.narrow();
        let (left, deleted, stays) = (AccountId::new(), AccountId::new(), AccountId::new());
        let mut sessions: Vec<SessionId> = Vec::new();
        for (account, name) in [(left, "left"), (deleted, "deleted"), (stays, "stays")] {
            let (access, session) = app.access_token(account).await;
            subscribe(&app.host.url, &access, &service.subscription(name)).await;
            sessions.push(session);
        }

        let now = SystemClock.now().as_i64();
        let revoked = json!({"type": "session.revoked", "accountId": left, "at": now, "sessionId": sessions[0]});
        for event in [revoked, json!({"type": "account.deleted", "accountId": deleted, "at": now})] {
            app.nudge(&event).await;
        }
        // The one that stays comes last: what were pushed to the others would have come before.
        for account in [left, deleted, stays] {
            narrow.publish(&format!("account:{account}"), &json!(1)).await;
        }

        let all = service.received(1).await;
        assert_eq!(all[0]["path"], "/push/stays", "{all:?}");
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_what_cannot_be_noted_to_be_pushed_is_not_published() {
    let test = TestDb::postgres().await;
    let (app, service) = start(&test).await;
    device(&app.backend, &app.host.url, "a", &service).await;
    let no_push = "ALTER TABLE notify.pushes ADD CONSTRAINT no_push CHECK (false)";
    administer(&test.settings().url, no_push).unwrap();
    // From then on the writer's connection is in use, and one statement needs no BEGIN.
    let silent = json!({"channel": "a", "data": 1, "push": {"carry": "nothing"}});
    app.backend.client.post("/v1/notify/messages", &silent).await.assert_status(200);

    let answer = app.backend.client.post("/v1/notify/messages", &json!({"channel": "a", "data": 2})).await;

    answer.assert_status(500);
    assert_eq!(app.backend.history("a", "").await["offset"], 1);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_device_that_goes_while_something_is_published_is_not_pushed_to() {
    let test = TestDb::postgres().await;
    let (app, service) = start(&test).await;
    for name in ["goes", "stays"] {
        let token = app.backend.issue(&json!({"channel": "a", "label": name})).await;
        subscribe(&app.host.url, token["token"].as_str().unwrap(), &service.subscription(name)).await;
    }
    let going = "DELETE FROM notify.push_subscriptions WHERE token_id IN \
        (SELECT token_id FROM notify.tokens WHERE label = 'goes')";

    let publishing = async { app.backend.publish("a", &json!(1)).await };
    let offset = Obstacle::new(&test, going).clear_for(1, publishing).await;

    let all = service.received(1).await;
    assert_eq!((offset, &all[0]["path"]), (1, &json!("/push/stays")));
    assert_eq!(app.backend.history("a", "").await["offset"], 1);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_token_that_is_revoked_while_its_device_subscribes_is_refused() {
    let test = TestDb::postgres().await;
    let (app, service) = start(&test).await;
    // The use of a token is written down at first, and then not for a while.
    let token = device(&app.backend, &app.host.url, "a", &service).await;
    let phone = TestClient::new(&app.host.url).with_token(&token);
    let subscription = service.subscription("phone");

    let subscribing = phone.put(SUBSCRIPTION, &subscription);
    let answer = Obstacle::new(&test, "DELETE FROM notify.tokens").clear_for(1, subscribing).await;

    answer.assert_status(401);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_device_that_was_taken_for_gone_is_said_anew() {
    let test = TestDb::postgres().await;
    let (app, service) = start(&test).await;
    let token = device(&app.backend, &app.host.url, "a", &service).await;
    let mut socket = app.connect().await;
    socket.subscribe(&json!({"token": token})).await;
    read_on(socket);
    let connected = || {
        let count =
            "(SELECT count(*) FROM push_presences WHERE expires_at > extract(epoch FROM now()) * 1000)";
        let (db, select) = (app.host.database("notify"), diesel::select(sql::<BigInt>(count)));
        async move { db.read(move |conn| Ok::<i64, DbError>(select.get_result(conn)?)).await.unwrap() }
    };
    wait_until("it to be connected", async || connected().await == 1).await;

    // It has subscribed long ago: who has lately is said anew anyway.
    let not_now = "UPDATE notify.push_subscriptions SET created_at = 0; \
        ALTER TABLE notify.push_presences ADD CONSTRAINT not_now CHECK (false) NOT VALID";
    administer(&test.settings().url, not_now).unwrap();
    wait_until("the lease to end", async || connected().await == 0).await;
    let again =
        "DELETE FROM notify.push_presences; ALTER TABLE notify.push_presences DROP CONSTRAINT not_now";
    administer(&test.settings().url, again).unwrap();

    wait_until("it to be connected again", async || connected().await == 1).await;
    app.host.stop().await;
}
