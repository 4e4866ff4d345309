//! A blocked account: out by every door, and nobody is told.

use common::models::events::{AccountChange, AccountEvent};
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::events::published;
use testkit::on_both;

use super::{BASE, block, names, search, unblock};
use crate::harness::{Auth, PASSWORD, Session};
use crate::{signal_server, woosh};

/// A refusal without what differs from one to the next.
fn refusal(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("instance");
    problem
}

on_both! {
    async fn a_block_ends_sessions_and_lets_none_begin_until_it_ends(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        let (other, bob) = (auth.again("alice").await, auth.session("bob").await);
        let link = auth.bind(&other, 1).await.expect(200).value();
        let token = auth.host.http.with_token(link["accessToken"].as_str().unwrap());
        let link = token.post("/v1/sessions/link-tokens", &json!({})).await.expect(201).value();
        let account = alice.text("accountId");

        let blocked = block(&auth, account, "sells what is not hers").await.expect(200).value();

        assert_eq!(blocked, json!({"changed": true, "sessionsEnded": 2}));
        for session in [&alice, &other] {
            auth.with(session).get("/v1/accounts/current").await.assert_status(401);
            auth.refresh(session.text("refreshToken")).await.assert_status(401);
        }
        let right = auth.log_in("alice", PASSWORD).await.expect(401).value();
        let wrong = auth.log_in("alice", "wrong password").await.expect(401).value();
        assert_eq!(refusal(right), refusal(wrong), "nobody learns of it");
        auth.host.http.post("/v1/sessions/link", &json!({"token": link["token"]})).await.assert_status(403);
        auth.with(&bob).get("/v1/accounts/by-username/alice").await.assert_status(200);
        let facts = auth.operator().get(&format!("{BASE}/{account}")).await.expect(200).value();
        assert_eq!((&facts["blockReason"], &facts["sessions"]), (&json!("sells what is not hers"), &json!(0)));
        assert_eq!(facts["blockedAt"], START.as_i64());
        assert_eq!(names(&search(&auth, json!({"prefix": true, "blocked": true})).await), ["alice"]);

        let again = block(&auth, account, "for another reason").await.expect(200).value();
        let ended = [unblock(&auth, account).await.expect(200).value(), unblock(&auth, account).await.expect(200).value()];

        assert_eq!(again, json!({"changed": false, "sessionsEnded": 0}));
        assert_eq!(ended.map(|one| one["changed"].clone()), [json!(true), json!(false)]);
        auth.refresh(alice.text("refreshToken")).await.assert_status(401);
        let fresh = Session(auth.log_in("alice", PASSWORD).await.expect(201).value());
        auth.with(&fresh).get("/v1/accounts/current").await.assert_status(200);
        let facts = auth.operator().get(&format!("{BASE}/{account}")).await.expect(200).value();
        assert_eq!((&facts["blockReason"], &facts["blockedAt"]), (&Value::Null, &Value::Null));
    }

    async fn the_right_password_of_a_blocked_account_costs_a_guess(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.password_attempts.size", "3"), ("auth.password_attempts.refill", "1m")]).await;
        let alice = auth.session("alice").await;
        block(&auth, alice.text("accountId"), "x").await.assert_status(200);

        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(auth.log_in("alice", PASSWORD).await.status.as_u16());
        }

        assert_eq!(statuses, [401, 401, 401, 429], "one who tries could tell by it");
    }

    async fn the_services_are_told_that_sessions_ended(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let auth = Auth::start_in(&db, data.path()).await;
        let alice = auth.session("alice").await;
        let account = alice.text("accountId").to_owned();

        block(&auth, &account, "x").await.assert_status(200);

        let revocations = auth.host.internal.get("/internal/auth/v1/revocations").await.expect(200).value();
        assert_eq!(revocations["sessions"][0]["sessionId"], alice.text("sessionId"), "a pod that starts now learns of it, too");
        let change = AccountChange::SessionRevoked { session_id: alice.text("sessionId").parse().unwrap() };
        let event = AccountEvent { account_id: account.parse().unwrap(), at: START, change };
        assert_eq!(published(auth.host, "auth", &db, data.path()).await, [event]);
    }

    async fn a_blocked_account_is_out_of_the_other_interfaces_too(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("sam").await;
        auth.make(&woosh::user("wendy")).await.assert_status(201);
        auth.me("wendy", woosh::TOKEN).await.assert_status(200);

        for (name, kind) in [("sam", "signal-server"), ("wendy", "woosh")] {
            let found = search(&auth, json!({"query": name})).await;
            assert_eq!(found["accounts"][0]["kind"], kind);
            block(&auth, found["accounts"][0]["accountId"].as_str().unwrap(), "x").await.assert_status(200);
        }

        let right = auth.s_log_in("sam", signal_server::SECRET).await;
        let wrong = auth.s_log_in("sam", "wrong password").await;
        assert_eq!((right.status, right.text()), (wrong.status, wrong.text()));
        assert!(!auth.s_get("/auth/users/me/", &token).await.status.is_success());
        // What was verified a moment ago is not remembered past the block.
        auth.me("wendy", woosh::TOKEN).await.assert_status(401);
        let sam = search(&auth, json!({"query": "sam"})).await;
        let claim = json!({"accountId": sam["accounts"][0]["accountId"], "password": signal_server::SECRET,
            "secondFactorShown": true, "network": "127.0.0.1"});
        let verdict = auth.host.internal.post("/internal/auth/v1/sync/password", &claim).await.expect(200).value();
        assert_eq!(verdict["right"], false);
    }
}
