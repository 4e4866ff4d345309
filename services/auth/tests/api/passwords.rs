//! Guessing at passwords, and changing them.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

const NEW: &str = "a wholly new password";

async fn change(auth: &Auth, session: &Session, current: &str, new: &str) -> Answer {
    let body = json!({"currentPassword": current, "newPassword": new});
    auth.with(session).put("/v1/accounts/current/password", &body).await
}

on_both! {
    async fn a_changed_password_ends_every_other_session(db: TestDb) {
        let auth = Auth::start(&db).await;
        let here = auth.session("alice").await;
        let elsewhere = auth.again("alice").await;

        change(&auth, &here, "not the password", NEW).await.assert_status(401);
        auth.with(&elsewhere).get("/v1/accounts/current").await.assert_status(200);
        change(&auth, &here, PASSWORD, NEW).await.assert_status(204);

        auth.with(&elsewhere).get("/v1/accounts/current").await.assert_status(401);
        auth.refresh(elsewhere.text("refreshToken")).await.assert_status(401);
        auth.with(&here).get("/v1/accounts/current").await.assert_status(200);
        auth.refresh(here.text("refreshToken")).await.assert_status(200);
        auth.log_in("alice", PASSWORD).await.assert_status(401);
        auth.log_in("alice", NEW).await.assert_status(201);
    }

    async fn of_a_login_and_a_change_at_once_no_session_of_the_old_password_is_left(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "4")]).await;
        let here = auth.session("alice").await;

        let logins = futures_util::future::join_all((0..6).map(|_| auth.log_in("alice", PASSWORD)));
        let (logins, changed) = tokio::join!(logins, change(&auth, &here, PASSWORD, NEW));

        changed.assert_status(204);
        for login in logins.iter().filter(|login| login.status == 201) {
            let session = Session(login.value());
            auth.with(&session).get("/v1/accounts/current").await.assert_status(401);
        }
        let left = auth.with(&here).get("/v1/sessions").await.expect(200).value();
        assert_eq!(left["sessions"].as_array().unwrap().len(), 1, "{left}");
    }

    async fn wrong_guesses_run_out_alike_for_names_that_exist_and_that_do_not(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "3"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        auth.register("alice").await.assert_status(201);
        let mut refusals: Vec<Vec<(u16, Option<String>, Value)>> = Vec::new();
        for name in ["alice", "nobody"] {
            let mut seen = Vec::new();
            for _ in 0..5 {
                let answer = auth.log_in(name, "not the password").await;
                let mut problem: Value = answer.value();
                problem.as_object_mut().unwrap().remove("instance");
                let wait = answer.header("retry-after").map(str::to_owned);
                seen.push((answer.status.as_u16(), wait, problem));
            }
            refusals.push(seen);
        }

        assert_eq!(refusals[0], refusals[1]);
        let statuses: Vec<u16> = refusals[0].iter().map(|(status, _, _)| *status).collect();
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
        assert_eq!(refusals[0][4].1.as_deref(), Some("60"));
        // The right one is not looked at either.
        auth.log_in("alice", PASSWORD).await.assert_status(429);
        auth.clock.advance(Duration::from_secs(60));
        auth.log_in("alice", PASSWORD).await.assert_status(201);
        auth.log_in("alice", PASSWORD).await.assert_status(201);
    }

    async fn a_client_with_an_old_password_locks_nobody_out(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.register("alice").await.assert_status(201);

        for _ in 0..40 {
            auth.log_in("alice", "an old password").await.assert_status(401);
        }

        auth.log_in("alice", PASSWORD).await.assert_status(201);
    }

    async fn an_owner_who_is_logged_in_confirms_while_strangers_guess(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "2"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        let session = auth.session("alice").await;
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(auth.log_in("alice", "not the password").await.status.as_u16());
        }

        change(&auth, &session, PASSWORD, NEW).await.assert_status(204);
        for _ in 0..3 {
            statuses.push(change(&auth, &session, "not the password", PASSWORD).await.status.as_u16());
        }

        assert_eq!(statuses, [401, 401, 429, 401, 401, 429], "both are counted");
        change(&auth, &session, NEW, PASSWORD).await.assert_status(429);
        auth.clock.advance(Duration::from_secs(60));
        change(&auth, &session, NEW, PASSWORD).await.assert_status(204);
        auth.log_in("alice", PASSWORD).await.assert_status(201);
    }

    async fn guesses_at_once_are_no_more_than_guesses_one_by_one(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "3"),
            ("auth.password_attempts.refill", "1m"),
            ("auth.hashing_slots", "4"),
        ]).await;
        auth.register("alice").await.assert_status(201);

        let guesses = (0..12).map(|_| auth.log_in("alice", "not the password"));
        let answers = futures_util::future::join_all(guesses).await;

        let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!(looked_at, 3);
    }

    async fn the_right_password_is_no_guess_however_many_show_it_at_once(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "1"),
            ("auth.password_attempts.refill", "1m"),
            ("auth.hashing_slots", "4"),
        ]).await;
        auth.register("alice").await.assert_status(201);

        let logins = (0..12).map(|_| auth.log_in("alice", PASSWORD));
        let answers = futures_util::future::join_all(logins).await;

        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, [201; 12]);
    }

    async fn guesses_are_counted_across_pods_and_restarts(db: TestDb) {
        let few = [("auth.password_attempts.size", "3"), ("auth.password_attempts.refill", "1m")];
        let one = Auth::start_with(&db, &few).await;
        one.register("alice").await.assert_status(201);
        let two = Auth::start_with(&db, &few).await;
        let wrong = "not the password";

        let before = [one.log_in("alice", wrong).await, two.log_in("alice", wrong).await];
        two.host.stop().await;
        let two = Auth::start_with(&db, &few).await;
        let after = [two.log_in("alice", wrong).await, one.log_in("alice", wrong).await, two.log_in("alice", wrong).await];

        assert_eq!(before.map(|answer| answer.status.as_u16()), [401, 401]);
        assert_eq!(after.map(|answer| answer.status.as_u16()), [401, 429, 429]);
    }

    async fn what_an_untrusted_peer_says_of_its_address_counts_for_nothing(db: TestDb) {
        let auth = Auth::start_with(&db, &[("limits.enabled", "true"), ("limits.login_address.size", "2")]).await;
        auth.register("alice").await.assert_status(201);
        let http = &auth.host.http;
        let from = |address: &'static str| {
            let body = json!({"username": "alice", "password": PASSWORD});
            let request = http.request(reqwest::Method::POST, "/v1/sessions");
            http.send(request.header("x-forwarded-for", address).json(&body))
        };

        let statuses = [from("192.0.2.1").await, from("192.0.2.2").await, from("192.0.2.3").await];

        assert_eq!(statuses.map(|answer| answer.status.as_u16()), [201, 201, 429]);
    }

    async fn logins_are_limited_by_address(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("limits.enabled", "true"),
            ("limits.login_address.size", "2"),
            ("limits.login_address.refill", "30s"),
            ("http.trusted_proxies", "127.0.0.1"),
        ]).await;
        auth.register("alice").await.assert_status(201);
        let http = &auth.host.http;
        let from = |address: &'static str| {
            let body = json!({"username": "alice", "password": PASSWORD});
            let request = http.request(reqwest::Method::POST, "/v1/sessions");
            http.send(request.header("x-forwarded-for", format!("203.0.113.1, {address}")).json(&body))
        };

        let statuses = [from("192.0.2.1").await, from("192.0.2.1").await, from("192.0.2.2").await];
        let refused = from("192.0.2.1").await;

        assert_eq!(statuses.map(|answer| answer.status.as_u16()), [201; 3]);
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("30")));
        assert_eq!(refused.problem().slug(), "rate-limited");
    }
}
