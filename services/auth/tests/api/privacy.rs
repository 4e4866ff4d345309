//! Erasure by an operator.

use std::time::Duration;

use common::models::events::{AccountChange, AccountEvent};
use serde_json::json;
use testkit::clock::START;
use testkit::events::published;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

on_both! {
    async fn an_operator_erases_an_account_and_all_are_told_as_often_as_it_is_asked(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let auth = Auth::start_in(&db, data.path()).await;
        let alice = auth.session("alice").await;
        let path = format!("/internal/auth/v1/privacy/accounts/{}", alice.text("accountId"));

        auth.host.internal.delete(&path).await.assert_status(401);
        auth.with(&alice).get("/v1/accounts/current").await.assert_status(200);
        let first = auth.operator().delete(&path).await.expect(200).value();
        auth.clock.advance(Duration::from_secs(60));
        let second = auth.operator().delete(&path).await.expect(200).value();

        assert_eq!(first, json!({"deletedAt": START.as_i64(), "existed": true}));
        assert_eq!(second, json!({"deletedAt": START.as_i64(), "existed": false}));
        auth.log_in("alice", PASSWORD).await.assert_status(401);
        auth.with(&alice).get("/v1/accounts/current").await.assert_status(401);
        let account_id = alice.text("accountId").parse().unwrap();
        let deleted = AccountEvent { account_id, at: START, change: AccountChange::Deleted };
        assert_eq!(published(auth.host, "auth", &db, data.path()).await, [deleted.clone(), deleted]);
    }
}
