//! What the other services are told, and what they tell us.

use common::models::events::{AccountChange, AccountEvent};
use serde_json::json;
use testkit::clock::START;
use testkit::events::published;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

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
        assert_eq!(published(auth.host, "auth", &db, data.path()).await, [event(revoked), event(AccountChange::Deleted)]);
    }

    async fn a_removed_device_takes_its_session_with_it_whatever_the_clocks_say(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (bound, successor, unbound) = (auth.session("alice").await, auth.again("alice").await, auth.again("alice").await);
        let bound = Session(auth.bind(&bound, 2).await.expect(200).value());
        let successor = Session(auth.bind(&successor, 2).await.expect(200).value());
        let removed = |session: &Session, at: i64| json!({"type": "device.removed", "accountId": session.text("accountId"),
            "at": at, "deviceId": 2, "generation": "0190a1b2-0000-7000-8000-000000000001",
            "sessionId": session.text("sessionId")});

        // Of a keystore whose clock is behind, or ahead.
        for event in [removed(&bound, START.as_i64() - 60_000), removed(&unbound, START.as_i64() + 60_000)] {
            auth.host.internal.post("/internal/auth/v1/nudge", &event).await.assert_status(204);
        }

        auth.with(&bound).get("/v1/accounts/current").await.assert_status(401);
        auth.refresh(bound.text("refreshToken")).await.assert_status(401);
        for goes_on in [&successor, &unbound] {
            auth.with(goes_on).get("/v1/accounts/current").await.assert_status(200);
            auth.refresh(goes_on.text("refreshToken")).await.assert_status(200);
        }
    }

    async fn a_removed_device_of_an_unknown_session_takes_those_of_before_with_it(db: TestDb) {
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
        let changes: Vec<_> = published(auth.host, "auth", &db, data.path()).await.into_iter().map(|event| event.change).collect();
        assert_eq!(changes, [AccountChange::SessionRevoked { session_id: bound.text("sessionId").parse().unwrap() }]);
    }
}
