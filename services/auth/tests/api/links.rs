//! Letting another device in.

mod killed;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";

/// Somebody whose session has device 1.
async fn device(auth: &Auth, name: &str) -> Session {
    let session = auth.session(name).await;
    Session(auth.bind(&session, 1).await.expect(200).value())
}

async fn issue(auth: &Auth, session: &Session) -> Session {
    Session(auth.with(session).post("/v1/sessions/link-tokens", &json!({})).await.expect(201).value())
}

async fn exchange(auth: &Auth, token: &str, key: Option<&str>) -> Answer {
    auth.host.http.post("/v1/sessions/link", &json!({"token": token, "retryKey": key})).await
}

async fn wait(auth: &Auth, session: &Session, id: &str, seconds: u64) -> Answer {
    auth.with(session).get(&format!("/v1/sessions/link-tokens/{id}?timeout={seconds}")).await
}

fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.problem().slug()), (403, "invalid-link-token"));
}

on_both! {
    async fn a_token_opens_one_session_without_a_device(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;

        let token = issue(&auth, &old).await;
        let new = Session(exchange(&auth, token.text("token"), None).await.expect(201).value());
        let again = exchange(&auth, token.text("token"), None).await;

        assert_eq!(token.0["expiresIn"], 600);
        assert_eq!(token.text("tokenId"), URL_SAFE_NO_PAD.encode(digest(&SHA256, token.text("token").as_bytes())));
        let claims = auth.verify(new.text("accessToken")).await;
        assert_eq!((claims.sub.as_str(), claims.did), (old.text("accountId"), None));
        assert_ne!(new.text("sessionId"), old.text("sessionId"));
        auth.refresh(new.text("refreshToken")).await.assert_status(200);
        assert_refused(&again);
    }

    async fn only_a_session_with_a_device_lets_another_in(db: TestDb) {
        let auth = Auth::start(&db).await;
        let bare = auth.session("alice").await;

        let refused = auth.with(&bare).post("/v1/sessions/link-tokens", &json!({})).await.expect(403);

        assert_eq!(refused.problem().slug(), "device-required");
        auth.host.http.post("/v1/sessions/link-tokens", &json!({})).await.assert_status(401);
    }

    async fn of_many_exchanges_at_once_one_opens_a_session(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let token = issue(&auth, &old).await;

        let answers = futures_util::future::join_all((0..6).map(|_| exchange(&auth, token.text("token"), None))).await;

        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403, 403, 403, 403, 403]);
        let listed = auth.with(&old).get("/v1/sessions").await.expect(200).value();
        assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    }

    async fn whoever_used_a_token_may_ask_again_until_the_session_has_a_device(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let token = issue(&auth, &old).await;
        let lost = Session(exchange(&auth, token.text("token"), Some(KEY)).await.expect(201).value());

        let again = Session(exchange(&auth, token.text("token"), Some(KEY)).await.expect(201).value());

        assert_eq!(again.text("sessionId"), lost.text("sessionId"));
        assert_refused(&exchange(&auth, token.text("token"), Some(OTHER_KEY)).await);
        assert_refused(&exchange(&auth, token.text("token"), None).await);
        // The tokens of the lost answer are void, but to use one is no sign of theft.
        auth.refresh(lost.text("refreshToken")).await.assert_status(401);
        let fresh = Session(auth.refresh(again.text("refreshToken")).await.expect(200).value());
        auth.bind(&fresh, 2).await.assert_status(200);
        assert_refused(&exchange(&auth, token.text("token"), Some(KEY)).await);
    }

    async fn unknown_expired_and_replaced_tokens_look_alike(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let replaced = issue(&auth, &old).await;
        let token = issue(&auth, &old).await;
        let unknown = format!("{}.{KEY}", old.text("accountId"));
        let nobodys = format!("00000000-0000-4000-8000-000000000000.{KEY}");

        let mut details: Vec<Value> = Vec::new();
        for wrong in ["", "x", replaced.text("token"), &unknown, &nobodys] {
            let refused = exchange(&auth, wrong, None).await;
            assert_refused(&refused);
            details.push(refused.value()["detail"].clone());
        }
        auth.clock.advance(Duration::from_secs(601));
        let late = exchange(&auth, token.text("token"), None).await;

        assert_refused(&late);
        assert!(details.iter().all(|detail| *detail == late.value()["detail"]), "{details:?}");
        exchange(&auth, token.text("token"), Some("short")).await.assert_status(400);
    }

    async fn a_token_goes_with_the_session_that_asked_for_it(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (old, other) = (device(&auth, "alice").await, auth.again("alice").await);
        let token = issue(&auth, &old).await;

        auth.with(&other).delete(&format!("/v1/sessions/{}", old.text("sessionId"))).await.assert_status(204);

        assert_refused(&exchange(&auth, token.text("token"), None).await);
    }

    async fn a_change_of_the_password_voids_tokens_and_ends_what_they_opened(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let used = issue(&auth, &old).await;
        let linked = Session(exchange(&auth, used.text("token"), None).await.expect(201).value());
        let unused = issue(&auth, &old).await;
        let body = json!({"currentPassword": PASSWORD, "newPassword": "a wholly new password"});

        auth.with(&old).put("/v1/accounts/current/password", &body).await.assert_status(204);

        assert_refused(&exchange(&auth, unused.text("token"), None).await);
        auth.with(&linked).get("/v1/accounts/current").await.assert_status(401);
        wait(&auth, &old, used.text("tokenId"), 0).await.assert_status(404);
    }

    async fn a_deleted_account_lets_nobody_in(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let token = issue(&auth, &old).await;

        let client = auth.with(&old);
        let deletion = client.request(reqwest::Method::DELETE, "/v1/accounts/current").json(&json!({"password": PASSWORD}));
        client.send(deletion).await.assert_status(204);

        assert_refused(&exchange(&auth, token.text("token"), None).await);
    }

    async fn who_waits_is_told_of_the_device_as_soon_as_there_is_one(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let mut quickest = Duration::MAX;
        // The recheck comes after five seconds; a machine that stands still may make one try as slow, but not all.
        for number in 2..5 {
            let token = issue(&auth, &old).await;
            let id = token.text("tokenId");
            wait(&auth, &old, id, 0).await.assert_status(204);
            let new = Session(exchange(&auth, token.text("token"), None).await.expect(201).value());
            wait(&auth, &old, id, 0).await.assert_status(204);

            let binding = async {
                // For the first look of who waits to be over: it needs no hint for what is there before it.
                tokio::time::sleep(Duration::from_millis(100)).await;
                auth.bind(&new, number).await
            };
            let began = Instant::now();
            let (told, bound) = tokio::join!(wait(&auth, &old, id, 60), binding);

            bound.assert_status(200);
            assert_eq!(told.expect(200).value(), json!({"deviceId": number, "sessionId": new.text("sessionId")}));
            quickest = quickest.min(began.elapsed());
            if quickest < Duration::from_secs(4) {
                break;
            }
        }

        assert!(quickest < Duration::from_secs(4), "told by the hint, not by the recheck: {quickest:?}");
    }

    async fn nobody_waits_for_devices_of_others(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (alice, mallory) = (device(&auth, "alice").await, device(&auth, "mallory").await);
        let token = issue(&auth, &alice).await;

        for id in [token.text("tokenId"), "x", KEY] {
            wait(&auth, &mallory, id, 0).await.assert_status(404);
        }
        wait(&auth, &alice, token.text("tokenId"), 61).await.assert_status(400);
        wait(&auth, &alice, token.text("tokenId"), 0).await.assert_status(204);
    }

    async fn a_wait_ends_with_the_session_that_waits(db: TestDb) {
        let auth = Auth::start(&db).await;
        let old = device(&auth, "alice").await;
        let token = issue(&auth, &old).await;

        let ended = async {
            tokio::task::yield_now().await;
            auth.with(&old).delete("/v1/sessions/current").await
        };
        let (waited, ended) = tokio::join!(wait(&auth, &old, token.text("tokenId"), 60), ended);

        ended.assert_status(204);
        // The token goes with the session: whoever is just looking may find it gone before hearing that the session is.
        assert!(matches!(waited.status.as_u16(), 401 | 404), "{}", waited.status);
    }

    async fn tokens_are_made_and_used_so_often_and_no_more(db: TestDb) {
        let auth = Auth::start_with(&db, &[("limits.enabled", "true"), ("limits.link_address.size", "2")]).await;
        let old = device(&auth, "alice").await;

        for _ in 0..6 {
            issue(&auth, &old).await;
        }
        let seventh = auth.with(&old).post("/v1/sessions/link-tokens", &json!({})).await;
        for _ in 0..2 {
            assert_refused(&exchange(&auth, "wrong", None).await);
        }

        seventh.assert_status(429);
        exchange(&auth, "wrong", None).await.assert_status(429);
    }
}
