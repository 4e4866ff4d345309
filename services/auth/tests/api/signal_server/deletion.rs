//! Users deleted: by each of three routes, with the password, for good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::models::SessionId;
use common::models::events::{AccountChange, AccountEvent};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::events::published;
use testkit::on_both;

use super::{SECRET, assert_fields, assert_unauthorized};
use crate::harness::{Auth, Session};

/// The session that a token names.
fn session(token: &str) -> SessionId {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().parse().unwrap()
}

on_both! {
    async fn a_user_is_deleted_with_the_password_and_not_without(db: TestDb) {
        let auth = Auth::start(&db).await;

        for (number, route) in ["me", "id", "delete"].into_iter().enumerate() {
            let name = format!("alice{number}");
            let id = auth.sign_up(&name).await.expect(201).value()["id"].clone();
            let token = auth.s_token(&name).await;
            let (method, path) = match route {
                "me" => (Method::DELETE, "/auth/users/me/".to_owned()),
                "id" => (Method::DELETE, format!("/auth/users/{id}/")),
                _ => (Method::POST, "/auth/users/delete/".to_owned()),
            };
            let delete = async |body: Value| auth.s(method.clone(), &path, Some(&token), &body).await;

            for wrong in [json!({}), json!({"current_password": "wrong"}), json!({"current_password": null}), json!({"current_password": ""})] {
                assert_fields(&delete(wrong).await, &["current_password"]);
            }
            let no_body = auth.host.http.request(method.clone(), &path).bearer_auth(&token);
            assert_fields(&auth.host.http.send(no_body).await, &["current_password"]);
            auth.s_get("/auth/me/", &token).await.assert_status(200);

            delete(json!({"current_password": SECRET})).await.assert_status(204);

            assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
            assert_unauthorized(&delete(json!({"current_password": SECRET})).await);
            auth.log_in(&name, SECRET).await.assert_status(401);
        }
    }

    async fn a_token_of_a_deleted_user_does_not_open_the_account_of_whoever_takes_the_name(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (first, again) = (auth.s_user("alice").await, auth.s_token("alice").await);
        let old = auth.s_get("/auth/me/", &first).await.value();
        let body = json!({"current_password": SECRET});
        auth.s(Method::DELETE, "/auth/users/me/", Some(&first), &body).await.assert_status(204);

        let new = auth.sign_up("alice").await.expect(201).value();

        for token in [&first, &again] {
            assert_unauthorized(&auth.s_get("/auth/me/", token).await);
            assert_fields(&auth.s_post("/auth/jwt/verify/", None, &json!({"token": token})).await, &["non_field_errors"]);
        }
        assert!(new["id"].as_i64() > old["id"].as_i64(), "no number is used again");
    }

    async fn the_other_services_are_told_of_sessions_that_end_with_a_name_and_of_the_deletion(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let auth = Auth::start_in(&db, data.path()).await;
        let tokens = [auth.s_user("alice").await, auth.s_token("alice").await];
        let native = Session(auth.log_in("alice", SECRET).await.expect(201).value());
        let rename = json!({"new_username": "alina", "current_password": SECRET});
        auth.s_post("/auth/username/", Some(&tokens[0]), &rename).await.assert_status(204);
        let delete = json!({"current_password": SECRET});
        let token = auth.s_token("alina").await;
        auth.s_post("/auth/users/delete/", Some(&token), &delete).await.assert_status(204);

        let mut events = published(auth.host, "auth", &db, data.path()).await;

        let event = |change| AccountEvent { account_id: native.text("accountId").parse().unwrap(), at: START, change };
        assert_eq!(events.pop(), Some(event(AccountChange::Deleted)));
        let revoked = |token: &String| event(AccountChange::SessionRevoked { session_id: session(token) });
        assert_eq!(events.len(), 2);
        assert!(tokens.iter().all(|token| events.contains(&revoked(token))), "{events:?}");
    }

    async fn a_deletion_by_our_own_interface_ends_tokens_and_row(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let session = Session(auth.log_in("alice", SECRET).await.expect(201).value());

        let client = auth.with(&session);
        let delete = client.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": SECRET}));
        client.send(delete).await.assert_status(204);

        assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
        let found = auth.host.internal.post("/internal/auth/v1/signal-server/accounts", &json!({"username": "alice"})).await;
        assert_eq!(found.expect(200).value(), json!({"user": null}));
    }
}
