//! Login, refresh, binding, end.

use std::time::Duration;

use common::models::UnixMillis;
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::database::TestDb;
use testkit::obstacle::Obstacle;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

on_both! {
    async fn a_login_gives_a_token_that_the_public_keys_verify(db: TestDb) {
        let auth = Auth::start(&db).await;

        let session = auth.session("alice").await;
        let claims = auth.verify(session.text("accessToken")).await;

        assert_eq!(claims.sub.as_str(), session.text("accountId"));
        assert_eq!(claims.sid.as_str(), session.text("sessionId"));
        assert_eq!(claims.did, None);
        assert_eq!(session.0["expiresIn"], 900);
        assert_eq!(claims.exp - claims.iat, 900);
    }

    async fn wrong_name_and_wrong_password_look_alike(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.register("alice").await.assert_status(201);

        for (username, password) in
            [("alice", "wrong password"), ("nobody", PASSWORD), ("no such name!", PASSWORD), ("alice", "short"), ("", ""), ("a\0b", PASSWORD), ("a\0@b", PASSWORD)]
        {
            let refused = auth.log_in(username, password).await.expect(401);
            let mut problem: Value = refused.value();
            problem.as_object_mut().unwrap().remove("instance");
            assert_eq!(
                problem,
                serde_json::json!({"type": "urn:problem:unauthenticated", "title": "Not authenticated", "status": 401,
                    "detail": "these credentials are not valid"}),
                "{username:?}"
            );
        }
    }

    async fn a_refresh_token_works_once_and_its_second_use_ends_the_session(db: TestDb) {
        let auth = Auth::start(&db).await;
        let first = auth.session("alice").await;

        let second = Session(auth.refresh(first.text("refreshToken")).await.expect(200).value());
        let third = Session(auth.refresh(second.text("refreshToken")).await.expect(200).value());
        auth.with(&third).get("/v1/accounts/current").await.assert_status(200);
        auth.refresh(first.text("refreshToken")).await.assert_status(401);

        auth.refresh(third.text("refreshToken")).await.assert_status(401);
        for session in [&first, &second, &third] {
            auth.with(session).get("/v1/accounts/current").await.assert_status(401);
        }
        assert_eq!(first.text("sessionId"), third.text("sessionId"));
    }

    async fn of_two_refreshes_at_once_one_wins_and_the_session_ends(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let token = session.text("refreshToken");

        let (a, b) = tokio::join!(auth.refresh(token), auth.refresh(token));

        let winner = if a.status.is_success() { &a } else { &b };
        assert_eq!([a.status.as_u16(), b.status.as_u16()].iter().filter(|status| **status == 200).count(), 1);
        let fresh = Session(winner.value());
        auth.refresh(fresh.text("refreshToken")).await.assert_status(401);
    }

    async fn an_old_session_cannot_be_refreshed(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.refresh_ttl", "1h")]).await;
        let session = auth.session("alice").await;

        auth.clock.advance(Duration::from_secs(3000));
        let fresh = Session(auth.refresh(session.text("refreshToken")).await.expect(200).value());
        auth.clock.advance(Duration::from_secs(3000));
        let last = Session(auth.refresh(fresh.text("refreshToken")).await.expect(200).value());
        auth.clock.advance(Duration::from_secs(3601));

        auth.refresh(last.text("refreshToken")).await.assert_status(401);
    }

    async fn the_day_on_which_a_device_was_last_seen_is_known_and_nothing_finer(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let bound = Session(auth.bind(&session, 3).await.expect(200).value());
        auth.log_in("alice", PASSWORD).await.assert_status(201);
        let path = format!("/internal/auth/v1/accounts/{}/devices", session.text("accountId"));

        let first = auth.host.internal.get(&path).await.expect(200).value();
        auth.clock.advance(Duration::from_secs(30 * 3600));
        auth.refresh(bound.text("refreshToken")).await.assert_status(200);
        let later = auth.host.internal.get(&path).await.expect(200).value();

        let seen = |at: UnixMillis| json!({"devices": [{"deviceId": 3, "seenAt": at}]});
        assert_eq!((first, later), (seen(START), seen(START + Duration::from_secs(24 * 3600))));
    }

    async fn binding_gives_tokens_with_the_device_and_is_idempotent(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;

        let bound = Session(auth.bind(&session, 3).await.expect(200).value());
        let again = Session(auth.bind(&session, 3).await.expect(200).value());
        let other = auth.bind(&session, 4).await;

        assert_eq!(auth.verify(bound.text("accessToken")).await.did.unwrap().as_i32(), 3);
        assert_eq!((other.status.as_u16(), other.problem().slug()), (409, "session-bound"));
        let refreshed = Session(auth.refresh(again.text("refreshToken")).await.expect(200).value());
        assert_eq!(auth.verify(refreshed.text("accessToken")).await.did.unwrap().as_i32(), 3);
        // The tokens from before the binding are void, but to use one is no sign of theft.
        auth.refresh(session.text("refreshToken")).await.assert_status(401);
        auth.refresh(refreshed.text("refreshToken")).await.assert_status(200);
    }

    async fn logging_out_ends_one_session_or_all(db: TestDb) {
        let auth = Auth::start(&db).await;
        let one = auth.session("alice").await;
        let two = Session(auth.log_in("alice", PASSWORD).await.expect(201).value());
        let three = Session(auth.log_in("alice", PASSWORD).await.expect(201).value());

        auth.with(&one).delete("/v1/sessions/current").await.assert_status(204);
        auth.with(&one).get("/v1/accounts/current").await.assert_status(401);
        auth.refresh(one.text("refreshToken")).await.assert_status(401);
        auth.with(&two).get("/v1/accounts/current").await.assert_status(200);
        auth.with(&two).delete("/v1/sessions").await.assert_status(204);

        for session in [&two, &three] {
            auth.with(session).get("/v1/accounts/current").await.assert_status(401);
            auth.refresh(session.text("refreshToken")).await.assert_status(401);
        }
        let revoked = auth.host.internal.get("/internal/auth/v1/revocations").await.expect(200).value();
        assert_eq!(revoked["sessions"].as_array().unwrap().len(), 3);
    }

    async fn sessions_are_listed_and_ended_one_by_one_by_their_owner_alone(db: TestDb) {
        let auth = Auth::start(&db).await;
        let one = auth.session("alice").await;
        let two = auth.again("alice").await;
        let stranger = auth.session("mallory").await;
        auth.bind(&two, 2).await.assert_status(200);
        let path = format!("/v1/sessions/{}", two.text("sessionId"));

        let listed = auth.with(&one).get("/v1/sessions").await.expect(200).value();
        auth.with(&stranger).delete(&path).await.assert_status(404);
        auth.with(&one).delete(&path).await.assert_status(204);
        auth.with(&one).delete(&path).await.assert_status(404);

        let listed = listed["sessions"].as_array().unwrap().clone();
        let of = |session: &Session| listed.iter().find(|one| one["sessionId"] == session.0["sessionId"]).unwrap().clone();
        assert_eq!(listed.len(), 2);
        assert_eq!((&of(&one)["current"], &of(&two)["current"]), (&true.into(), &false.into()));
        assert_eq!(of(&two)["deviceId"], 2);
        auth.with(&two).get("/v1/accounts/current").await.assert_status(401);
        auth.refresh(two.text("refreshToken")).await.assert_status(401);
        auth.with(&one).get("/v1/accounts/current").await.assert_status(200);
    }

    async fn a_revocation_is_forgotten_when_no_token_can_be_alive(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        auth.with(&session).delete("/v1/sessions/current").await.assert_status(204);

        auth.clock.advance(Duration::from_secs(901));

        let revoked = auth.host.internal.get("/internal/auth/v1/revocations").await.expect(200).value();
        assert_eq!(revoked, serde_json::json!({"sessions": [], "accounts": []}));
    }
}

/// A token that a binding takes away while somebody uses it was not used before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_refresh_beside_a_binding_is_no_sign_of_theft() {
    let db = TestDb::postgres().await;
    let auth = Auth::start(&db).await;
    let session = auth.session("alice").await;
    let binding =
        Obstacle::new(&db, "UPDATE auth.sessions SET device_id = 3; DELETE FROM auth.refresh_tokens");

    let refreshed = binding.clear_for(1, auth.refresh(session.text("refreshToken"))).await;

    refreshed.assert_status(401);
    auth.with(&session).get("/v1/accounts/current").await.assert_status(200);
}
