//! Registration and deletion.

use serde_json::json;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

on_both! {
    async fn an_account_is_made_and_read_back(db: TestDb) {
        let auth = Auth::start(&db).await;

        let made = auth.register("Alice").await.expect(201).value();
        let session = auth.session("bob").await;
        let read = auth.with(&session).get("/v1/accounts/current").await.expect(200).value();

        assert_eq!(made["username"], "alice", "names are folded");
        assert_eq!(made["accountId"].as_str().unwrap().len(), 36);
        assert_eq!(read, json!({"accountId": session.text("accountId"), "username": "bob", "totp": false}));
    }

    async fn a_name_has_one_owner_also_when_many_ask_at_once(db: TestDb) {
        let auth = Auth::start(&db).await;

        let (a, b, c) = tokio::join!(auth.register("alice"), auth.register("ALICE"), auth.register("alice"));

        let mut statuses = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        assert_eq!(auth.register("alice").await.problem().slug(), "username-taken");
    }

    async fn an_account_is_found_by_its_exact_name_as_often_as_the_limit_says(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("limits.enabled", "true"),
            ("limits.search_account.size", "4"),
        ]).await;
        let alice = auth.session("alice").await;
        let bob = auth.session("bob").await;
        let client = auth.with(&bob);
        let find = |name: &'static str| {
            let client = client.clone();
            async move { client.get(&format!("/v1/accounts/by-username/{name}")).await }
        };

        let found = find("ALICE").await.expect(200).value();
        let missed = [find("alic").await, find("alice2").await, find("no%00such%20name").await];
        let over = find("alice").await;

        assert_eq!(found, json!({"accountId": alice.text("accountId"), "username": "alice"}));
        assert_eq!(missed.map(|answer| answer.problem().slug().to_owned()), ["account-not-found"; 3]);
        assert_eq!(over.problem().slug(), "rate-limited");
        auth.host.http.get("/v1/accounts/by-username/alice").await.assert_status(401);
    }

    async fn a_closed_server_makes_no_accounts(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.registration", "closed")]).await;

        let refused = auth.register("alice").await;

        assert_eq!((refused.status.as_u16(), refused.problem().slug()), (403, "registration-closed"));
        auth.log_in("alice", PASSWORD).await.assert_status(401);
    }

    async fn deletion_needs_the_password_and_leaves_nothing_but_the_id(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let alice = auth.with(&session);
        let path = format!("/internal/auth/v1/accounts/{}", session.text("accountId"));
        let delete = |password: &'static str| {
            let request = alice.request(reqwest::Method::DELETE, "/v1/accounts/current");
            alice.send(request.json(&json!({"password": password})))
        };

        auth.host.internal.get(&path).await.assert_status(200);
        delete("not the password").await.assert_status(401);
        auth.host.internal.get(&path).await.assert_status(200);
        delete(PASSWORD).await.assert_status(204);

        auth.host.internal.get(&path).await.assert_status(404);
        auth.log_in("alice", PASSWORD).await.assert_status(401);
        auth.refresh(session.text("refreshToken")).await.assert_status(401);
        alice.get("/v1/accounts/current").await.assert_status(401);
        auth.bind(&session, 1).await.assert_status(404);
        auth.register("alice").await.assert_status(201);
    }
}
