//! Users deleted: by each of three routes, with the password, for good.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use super::{SECRET, assert_fields, assert_unauthorized};
use crate::harness::Auth;

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

    async fn a_deletion_by_our_own_interface_ends_tokens_and_row(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let session = crate::harness::Session(auth.log_in("alice", SECRET).await.expect(201).value());

        let client = auth.with(&session);
        let delete = client.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": SECRET}));
        client.send(delete).await.assert_status(204);

        assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
        let found = auth.host.internal.post("/internal/auth/v1/signal-server/accounts", &json!({"username": "alice"})).await;
        assert_eq!(found.expect(200).value(), json!({"user": null}));
    }
}
