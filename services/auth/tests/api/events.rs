//! What the other services are told, and what they tell us.

use std::path::Path;

use bus::{Bus, BusSettings, Event, outbox};
use common::models::events::{AccountChange, AccountEvent};
use db::{Db, DbError};
use serde_json::json;
use testkit::clock::START;
use testkit::database::TestDb;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{Auth, PASSWORD, Session};

/// Waits until everything is published, stops the service, and reads what is on the bus.
async fn published(auth: Auth, db: &TestDb, data: &Path) -> Vec<AccountEvent> {
    let tables = Db::new(db.settings(), "auth").unwrap();
    wait_until("the outbox to be empty", || async {
        tables.read(|conn| Ok::<_, DbError>(outbox::backlog(conn)?.pending == 0)).await.unwrap()
    })
    .await;
    auth.host.stop().await;

    let bus = Bus::open(&BusSettings::default(), Some(data)).unwrap();
    let left: i64 =
        bus.lag("test", AccountEvent::TOPIC).await.unwrap().iter().map(|partition| partition.lag).sum();
    let mut consumer = bus.consumer("test", &[AccountEvent::TOPIC]).unwrap();
    let mut events = Vec::new();
    while events.len() < usize::try_from(left).unwrap() {
        if let Event::Records(records) = consumer.next(100).await.unwrap() {
            events.extend(records.iter().map(|record| AccountEvent::decode(record.bytes()).unwrap()));
        }
    }
    events
}

on_both! {
    async fn ends_are_published_in_their_order(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let auth = Auth::start_in(&db, data.path()).await;
        let one = auth.session("alice").await;
        let two = Session(auth.log_in("alice", PASSWORD).await.expect(201).value());

        auth.with(&one).delete("/v1/sessions/current").await.assert_status(204);
        auth.with(&one).delete("/v1/sessions/current").await.assert_status(401);
        let alice = auth.with(&two);
        let delete = alice.request(reqwest::Method::DELETE, "/v1/accounts/current");
        alice.send(delete.json(&json!({"password": PASSWORD}))).await.assert_status(204);

        let event = |change| AccountEvent { account_id: one.text("accountId").parse().unwrap(), at: START, change };
        let revoked = AccountChange::SessionRevoked { session_id: one.text("sessionId").parse().unwrap() };
        assert_eq!(published(auth, &db, data.path()).await, [event(revoked), event(AccountChange::Deleted)]);
    }

    async fn a_removed_device_takes_its_session_with_it(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let auth = Auth::start_in(&db, data.path()).await;
        let bound = auth.session("alice").await;
        let other = Session(auth.log_in("alice", PASSWORD).await.expect(201).value());
        let bound = Session(auth.bind(&bound, 2).await.expect(200).value());
        let event = json!({"type": "device.removed", "accountId": bound.text("accountId"), "at": START.as_i64(),
            "deviceId": 2, "generation": "0190a1b2-0000-7000-8000-000000000001"});

        auth.host.internal.post("/internal/auth/v1/nudge", &event).await.assert_status(204);
        auth.host.internal.post("/internal/auth/v1/nudge", &event).await.assert_status(204);

        auth.with(&bound).get("/v1/accounts/current").await.assert_status(401);
        auth.refresh(bound.text("refreshToken")).await.assert_status(401);
        auth.with(&other).get("/v1/accounts/current").await.assert_status(200);
        let changes: Vec<_> = published(auth, &db, data.path()).await.into_iter().map(|event| event.change).collect();
        assert_eq!(changes, [AccountChange::SessionRevoked { session_id: bound.text("sessionId").parse().unwrap() }]);
    }
}
