//! Names and passwords changed, and which tokens that ends.

use serde_json::json;
use testkit::on_both;

use super::{SECRET, assert_fields, assert_unauthorized};
use crate::harness::{Auth, Session};

const NEW: &str = "aW7?rLt4";

on_both! {
    async fn a_new_name_ends_every_token_with_the_old_one_and_no_session_of_our_own(db: TestDb) {
        let auth = Auth::start(&db).await;
        for (number, path) in ["/auth/username/", "/auth/users/change_username/"].into_iter().enumerate() {
            let (old, new) = (format!("alice{number}"), format!("Алиса{number}@x"));
            let (token, other) = (auth.s_user(&old).await, auth.s_token(&old).await);
            let native = Session(auth.log_in(&old, SECRET).await.expect(201).value());
            let id = auth.s_get("/auth/me/", &token).await.value()["id"].clone();

            let body = json!({"new_username": format!(" {new} "), "current_password": SECRET});
            auth.s_post(path, Some(&token), &body).await.assert_status(204);

            for dead in [&token, &other] {
                assert_unauthorized(&auth.s_get("/auth/me/", dead).await);
            }
            let renamed = auth.s_get("/auth/me/", &auth.s_token(&new).await).await.value();
            assert_eq!(renamed, json!({"email": "", "username": new, "id": id}));
            assert_eq!(auth.with(&native).get("/v1/accounts/current").await.expect(200).value()["username"], new);
            assert_fields(&auth.s_log_in(&old, SECRET).await, &["non_field_errors"]);
            auth.sign_up(&old).await.assert_status(201);
            assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
        }
    }

    async fn a_name_that_cannot_be_taken_leaves_everything_as_it_was(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        auth.sign_up("bob").await.assert_status(201);
        auth.register("carol").await.assert_status(201);

        for (body, fields) in [
            (json!({}), &["current_password", "new_username"][..]),
            (json!({"new_username": "dora"}), &["current_password"]),
            (json!({"new_username": "dora", "current_password": "wrong"}), &["current_password"]),
            (json!({"new_username": "a b", "current_password": SECRET}), &["new_username"]),
            (json!({"new_username": "a b", "current_password": "wrong"}), &["current_password", "new_username"]),
            (json!({"new_username": "bob", "current_password": "wrong"}), &["current_password", "new_username"]),
            // Whether a name is taken is not told for nothing.
            (json!({"new_username": "bob"}), &["current_password"]),
            (json!({"new_username": "bob", "current_password": "x".repeat(1025)}), &["current_password"]),
            (json!({"current_password": "wrong"}), &["current_password", "new_username"]),
            (json!({"new_username": "ä".repeat(151), "current_password": SECRET}), &["new_username"]),
            (json!({"new_username": "bob", "current_password": SECRET}), &["new_username"]),
            (json!({"new_username": "carol", "current_password": SECRET}), &["new_username"]),
            (json!({"new_username": "Carol", "current_password": SECRET}), &["new_username"]),
            (json!({"new_username": "alice", "current_password": SECRET}), &["new_username"]),
        ] {
            assert_fields(&auth.s_post("/auth/username/", Some(&token), &body).await, fields);
        }
        assert_eq!(auth.s_get("/auth/me/", &token).await.expect(200).value()["username"], "alice");
    }

    async fn of_many_who_take_a_name_at_once_one_gets_it(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "4")]).await;
        let mut tokens = Vec::new();
        for number in 0..4 {
            tokens.push(auth.s_user(&format!("user{number}")).await);
        }

        let body = json!({"new_username": "wanted", "current_password": SECRET});
        let renames = tokens.iter().map(|token| auth.s_post("/auth/username/", Some(token), &body));
        let answers = futures_util::future::join_all(renames).await;

        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 400, 400, 400]);
    }

    async fn a_new_password_ends_every_session_but_the_one_that_asks(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (here, elsewhere) = (auth.s_user("alice").await, auth.s_token("alice").await);
        let native = Session(auth.log_in("alice", SECRET).await.expect(201).value());

        let body = json!({"new_password": NEW, "current_password": SECRET});
        auth.s_post("/auth/password/", Some(&here), &body).await.assert_status(204);

        auth.s_get("/auth/me/", &here).await.assert_status(200);
        assert_unauthorized(&auth.s_get("/auth/me/", &elsewhere).await);
        auth.with(&native).get("/v1/accounts/current").await.assert_status(401);
        assert_fields(&auth.s_log_in("alice", SECRET).await, &["non_field_errors"]);
        auth.s_log_in("alice", NEW).await.assert_status(200);
    }

    async fn a_password_change_of_our_own_interface_ends_tokens_too(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let native = Session(auth.log_in("alice", SECRET).await.expect(201).value());

        let change = json!({"currentPassword": SECRET, "newPassword": NEW});
        auth.with(&native).put("/v1/accounts/current/password", &change).await.assert_status(204);

        assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
    }

    async fn a_password_that_breaks_a_rule_changes_nothing(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;

        for (body, fields) in [
            (json!({}), &["current_password", "new_password"][..]),
            (json!({"new_password": NEW}), &["current_password"]),
            (json!({"new_password": NEW, "current_password": "wrong"}), &["current_password"]),
            (json!({"new_password": "12345678", "current_password": SECRET}), &["new_password"]),
            (json!({"new_password": "alice123", "current_password": SECRET}), &["new_password"]),
            (json!({"new_password": "12345678", "current_password": "wrong"}), &["current_password"]),
            (json!({"new_password": "12345678", "current_password": "x".repeat(1025)}), &["current_password"]),
            (json!({"new_password": "", "current_password": "wrong"}), &["current_password", "new_password"]),
            (json!({"new_password": "", "current_password": ""}), &["current_password", "new_password"]),
        ] {
            assert_fields(&auth.s_post("/auth/password/", Some(&token), &body).await, fields);
        }
        auth.s_log_in("alice", SECRET).await.assert_status(200);
    }

    async fn a_wrong_password_is_a_guess_whatever_else_is_wrong(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "2"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        let cases = [
            ("/auth/username/", json!({"new_username": ""})),
            ("/auth/username/", json!({"new_username": "a b"})),
            ("/auth/username/", json!({"new_username": "user0"})),
            ("/auth/password/", json!({"new_password": ""})),
            ("/auth/password/", json!({"new_password": "12345678"})),
        ];
        for (number, (path, body)) in cases.into_iter().enumerate() {
            let token = auth.s_user(&format!("user{number}")).await;
            let mut seen = Vec::new();
            for password in [SECRET, "wrong", SECRET, "wrong", SECRET] {
                let mut body = body.clone();
                body["current_password"] = json!(password);
                seen.push(auth.s_post(path, Some(&token), &body).await.status.as_u16());
            }
            assert_eq!(seen, [400, 400, 400, 400, 429], "{path} {body}");
        }
    }
}
