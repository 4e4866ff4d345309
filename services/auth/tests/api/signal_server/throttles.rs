//! The limits of the original, which an operator may turn on.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use super::{SECRET, assert_detail, assert_unauthorized};
use crate::harness::Auth;

on_both! {
    async fn three_calls_an_hour_are_let_in_without_a_token(db: TestDb) {
        let auth = Auth::start_with(&db, &[("compat.signal_server.throttles", "true")]).await;
        let log_in = async || auth.s_log_in("alice", SECRET).await;
        auth.sign_up("alice").await.assert_status(201);
        auth.clock.advance(Duration::from_secs(600));
        let token = auth.s_token("alice").await;
        log_in().await.assert_status(200);

        for _ in 0..2 {
            assert_unauthorized(&auth.s(Method::GET, "/auth/me/", None, &Value::Null).await);
        }
        let refused = log_in().await;
        assert_detail(&refused, 429);
        assert_eq!(refused.header("retry-after"), Some("3000"));
        assert!(refused.text().contains("3000 seconds"));
        assert_detail(&auth.s_post("/auth/password/reset/", None, &json!({"email": "a@test.com"})).await, 429);
        auth.s_get("/auth/me/", &token).await.assert_status(200);
        auth.clock.advance(Duration::from_secs(3000));
        assert_eq!([log_in().await, log_in().await].map(|answer| answer.status.as_u16()), [200, 429]);
    }

    async fn calls_with_a_token_are_counted_by_account(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("compat.signal_server.throttles", "true"),
            ("compat.signal_server.anonymous_rate.calls", "10"),
            ("compat.signal_server.anonymous_rate.per", "1h"),
            ("compat.signal_server.account_rate.calls", "3"),
            ("compat.signal_server.account_rate.per", "1day"),
        ]).await;
        let (alice, again, bob) = (auth.s_user("alice").await, auth.s_token("alice").await, auth.s_user("bob").await);

        let mut statuses = Vec::new();
        for token in [&alice, &again, &alice, &again, &bob] {
            statuses.push(auth.s_get("/auth/me/", token).await.status.as_u16());
        }

        assert_eq!(statuses, [200, 200, 200, 429, 200]);
        assert_eq!(auth.s_get("/auth/me/", &alice).await.header("retry-after"), Some("86400"));
    }

    async fn nothing_is_throttled_unless_it_is_asked_for(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.sign_up("alice").await.assert_status(201);

        for _ in 0..4 {
            auth.s_log_in("alice", SECRET).await.assert_status(200);
        }
    }
}
