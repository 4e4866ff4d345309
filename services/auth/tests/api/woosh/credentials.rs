//! Name and password on every request: what is remembered of them, and for how long.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use super::{TOKEN, assert_refused, error, user};
use crate::harness::{Auth, PASSWORD, Session};

impl Auth {
    /// How many credentials had an outcome.
    async fn credentials(&self, outcome: &str) -> String {
        let metrics = self.host.internal.get("/metrics").await.expect(200).text();
        let series = format!("sealpost_auth_woosh_credentials_total{{outcome=\"{outcome}\"");
        let line = metrics.lines().find(|line| line.starts_with(&series));
        line.map_or("0", |line| line.rsplit(' ').next().unwrap()).to_owned()
    }
}

on_both! {
    async fn every_wrong_credential_gets_the_same_answer(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.make(&user("alice")).await.assert_status(201);
        let unauthorized = error(401, "unauthorized");

        for (name, token) in [("alice", "wrong"), ("alice", ""), ("Alice", TOKEN), ("", ""), ("nobody", TOKEN), ("n\u{e9}", "x")] {
            assert_refused(&auth.me(name, token).await, &unauthorized);
        }
        for (method, path) in [(Method::GET, "/users/me"), (Method::POST, "/users/me"), (Method::GET, "/users/friends")] {
            assert_refused(&auth.woosh(method, path, None, &Value::Null).await, &unauthorized);
        }
        let one_header = auth.host.http.request(Method::GET, "/users/me").header("x-user-name", "alice");
        assert_refused(&auth.host.http.send(one_header).await, &unauthorized);
        auth.make(&Value::Null).await.assert_status(400);
    }

    async fn a_password_is_hashed_once_a_minute_and_never_outlives_a_change_or_a_deletion(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.make(&user("alice")).await.assert_status(201);
        let session = Session(auth.log_in("alice", TOKEN).await.expect(201).value());

        for _ in 0..3 {
            auth.me("alice", TOKEN).await.assert_status(200);
        }
        assert_eq!([auth.credentials("verified").await, auth.credentials("remembered").await], ["1", "2"]);
        auth.clock.advance(Duration::from_secs(60));
        auth.me("alice", TOKEN).await.assert_status(200);
        assert_eq!(auth.credentials("verified").await, "2");

        let change = json!({"currentPassword": TOKEN, "newPassword": PASSWORD});
        auth.with(&session).put("/v1/accounts/current/password", &change).await.assert_status(204);
        assert_refused(&auth.me("alice", TOKEN).await, &error(401, "unauthorized"));
        auth.me("alice", PASSWORD).await.assert_status(200);

        let client = auth.with(&session);
        let delete = client.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": PASSWORD}));
        client.send(delete).await.assert_status(204);
        assert_refused(&auth.me("alice", PASSWORD).await, &error(401, "unauthorized"));
        auth.make(&user("alice")).await.assert_status(201);
    }

    async fn requests_at_once_with_the_same_credentials_cost_one_hash_and_one_guess(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "1"),
            ("auth.password_attempts.refill", "1h"),
        ]).await;
        auth.make(&user("alice")).await.assert_status(201);

        let answers = futures_util::future::join_all((0..12).map(|_| auth.me("alice", TOKEN))).await;

        answers.iter().for_each(|answer| answer.assert_status(200));
        assert_eq!([auth.credentials("verified").await, auth.credentials("remembered").await], ["1", "11"]);
    }

    async fn what_another_pod_remembers_ends_with_the_password_too(db: TestDb) {
        let (one, two) = (Auth::start(&db).await, Auth::start(&db).await);
        one.make(&user("alice")).await.assert_status(201);
        two.me("alice", TOKEN).await.assert_status(200);
        two.me("alice", TOKEN).await.assert_status(200);
        assert_eq!(two.credentials("remembered").await, "1");
        let session = Session(one.log_in("alice", TOKEN).await.expect(201).value());

        let change = json!({"currentPassword": TOKEN, "newPassword": PASSWORD});
        one.with(&session).put("/v1/accounts/current/password", &change).await.assert_status(204);

        assert_refused(&two.me("alice", TOKEN).await, &error(401, "unauthorized"));
    }

    async fn an_account_with_a_second_factor_is_not_opened_by_its_password_alone(db: TestDb) {
        let auth = Auth::start(&db).await;
        let mut alice = user("alice");
        alice["password"] = json!(PASSWORD);
        auth.make(&alice).await.assert_status(201);
        auth.me("alice", PASSWORD).await.assert_status(200);
        let session = auth.again("alice").await;

        crate::totp::enrolled(&auth, &session).await;

        assert_refused(&auth.me("alice", PASSWORD).await, &error(401, "unauthorized"));
    }

    async fn wrong_guesses_run_out_and_so_do_registrations_of_one_address(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("limits.enabled", "true"),
            ("limits.registration_address.size", "2"),
            ("auth.password_attempts.size", "3"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        auth.make(&user("alice")).await.assert_status(201);
        auth.make(&user("bob")).await.assert_status(201);

        let third = auth.make(&user("carol")).await;
        for name in ["alice", "nobody"] {
            let mut statuses = Vec::new();
            for _ in 0..4 {
                statuses.push(auth.me(name, "wrong").await.status.as_u16());
            }
            assert_eq!(statuses, [401, 401, 401, 429], "{name}");
        }

        assert_refused(&third, &error(429, "too many requests"));
        let refused = auth.me("alice", TOKEN).await;
        assert_refused(&refused, &error(429, "too many requests"));
        assert_eq!(refused.header("retry-after"), Some("60"));
    }
}
