//! Registration by invite.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

const BY_INVITE: [(&str, &str); 1] = [("auth.registration", "invite")];

async fn invite(auth: &Auth, count: u16) -> Value {
    let body = json!({"count": count, "expiresIn": 3600});
    auth.operator().post("/internal/auth/v1/invites", &body).await.expect(201).value()
}

async fn register(auth: &Auth, username: &str, code: &str) -> Answer {
    let body = json!({"username": username, "password": PASSWORD, "inviteCode": code});
    auth.host.http.post("/v1/accounts", &body).await
}

on_both! {
    async fn an_invite_lets_in_as_many_as_it_says_and_no_more_at_once(db: TestDb) {
        let auth = Auth::start_with(&db, &BY_INVITE).await;
        let made = invite(&auth, 3).await;
        let code = made["code"].as_str().unwrap();

        let names = ["one", "two", "three", "four", "five", "six"];
        let answers = join_all(names.map(|name| register(&auth, name, code))).await;

        let made: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(made.iter().filter(|status| **status == 201).count(), 3, "{made:?}");
        assert_eq!(made.iter().filter(|status| **status == 403).count(), 3, "{made:?}");
        assert_eq!(register(&auth, "seven", code).await.problem().slug(), "invite-needed");
    }

    async fn only_a_known_code_that_has_not_expired_lets_in(db: TestDb) {
        let auth = Auth::start_with(&db, &BY_INVITE).await;
        let made = invite(&auth, 1).await;
        let code = made["code"].as_str().unwrap();

        auth.register("alice").await.assert_status(403);
        register(&auth, "alice", "").await.assert_status(403);
        register(&auth, "alice", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.assert_status(403);
        auth.clock.advance(Duration::from_secs(3600));
        register(&auth, "alice", code).await.assert_status(403);

        auth.log_in("alice", PASSWORD).await.assert_status(401);
    }

    async fn a_registration_that_fails_leaves_the_invite_as_it_was(db: TestDb) {
        let auth = Auth::start_with(&db, &BY_INVITE).await;
        let (first, second) = (invite(&auth, 1).await, invite(&auth, 1).await);
        register(&auth, "alice", first["code"].as_str().unwrap()).await.assert_status(201);
        let code = second["code"].as_str().unwrap();

        let taken = register(&auth, "alice", code).await;
        let blind = register(&auth, "alice", first["code"].as_str().unwrap()).await;

        assert_eq!(taken.problem().slug(), "username-taken");
        assert_eq!(blind.problem().slug(), "invite-needed", "a spent invite tells nothing about names");
        register(&auth, "bob", code).await.assert_status(201);
    }

    async fn operators_see_and_withdraw_invites_but_never_codes(db: TestDb) {
        let auth = Auth::start_with(&db, &BY_INVITE).await;
        let (kept, withdrawn) = (invite(&auth, 2).await, invite(&auth, 1).await);
        let path = format!("/internal/auth/v1/invites/{}", withdrawn["inviteId"].as_str().unwrap());

        auth.operator().delete(&path).await.assert_status(204);
        auth.operator().delete(&path).await.assert_status(404);
        let listed = auth.operator().get("/internal/auth/v1/invites").await.expect(200);

        assert_eq!(listed.value()["invites"].as_array().unwrap().len(), 1);
        assert_eq!(listed.value()["invites"][0]["inviteId"], kept["inviteId"]);
        assert_eq!(listed.value()["invites"][0]["usesLeft"], 2);
        assert!(!listed.text().contains(kept["code"].as_str().unwrap()));
        register(&auth, "alice", withdrawn["code"].as_str().unwrap()).await.assert_status(403);
        // The credential of services is not that of operators.
        auth.host.internal.get("/internal/auth/v1/invites").await.assert_status(401);
        auth.host.http.get("/internal/auth/v1/invites").await.assert_status(404);
    }
}
