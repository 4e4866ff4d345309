//! Users made, read and changed.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use super::{SECRET, assert_detail, assert_fields};
use crate::harness::{Auth, PASSWORD, Session};

fn user(username: &str) -> Value {
    json!({"username": username, "password": SECRET})
}

on_both! {
    async fn a_user_is_what_was_given_and_a_number_that_ascends(db: TestDb) {
        let auth = Auth::start(&db).await;
        let sent = json!({"username": "  Alice@Test.com ", "email": " Alice@TEST.com ", "password": SECRET, "id": 7, "more": 1});

        let alice = auth.s_post("/auth/users/", None, &sent).await.expect(201).value();
        let sent = json!({"username": 12345, "email": "", "password": SECRET});
        let number = auth.s_post("/auth/users/create/", None, &sent).await.expect(201).value();
        let foreign = auth.sign_up("Ольга.李+ü").await.expect(201).value();

        assert_eq!(alice, json!({"username": "Alice@Test.com", "email": "Alice@test.com", "id": alice["id"]}));
        assert_eq!(number, json!({"username": "12345", "email": "", "id": number["id"]}));
        assert_eq!(foreign["username"], "Ольга.李+ü");
        let ids = [&alice, &number, &foreign].map(|user| user["id"].as_i64().unwrap());
        assert!(ids[0] >= 1 && ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        auth.s_token("Alice@Test.com").await;
    }

    async fn everything_that_is_wrong_is_told_by_field(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.sign_up("taken").await.assert_status(201);
        let with = |field: &str, value: Value| {
            let mut body = user("carol");
            body[field] = value;
            body
        };

        for (body, fields) in [
            (json!({}), &["password", "username"][..]),
            (Value::Null, &["non_field_errors"]),
            (json!([user("carol")]), &["non_field_errors"]),
            (json!("carol"), &["non_field_errors"]),
            (json!({"username": null, "password": null, "email": null}), &["email", "password", "username"]),
            (json!({"username": true, "password": [], "email": {}}), &["email", "password", "username"]),
            (json!({"username": " ", "password": ""}), &["password", "username"]),
            (with("username", json!("a b")), &["username"]),
            (with("username", json!("a/b")), &["username"]),
            (with("username", json!("a\u{0}b")), &["username"]),
            (with("username", json!("ä".repeat(151))), &["username"]),
            (with("username", json!("taken")), &["username"]),
            (with("email", json!("no address")), &["email"]),
            (with("email", json!(format!("{}@test.com", "a".repeat(250)))), &["email"]),
            (with("password", json!("short")), &["password"]),
            (with("password", json!("x9!".repeat(342))), &["password"]),
        ] {
            assert_fields(&auth.s_post("/auth/users/", None, &body).await, fields);
        }
        auth.sign_up(&"ä".repeat(150)).await.assert_status(201);
    }

    async fn a_name_is_matched_exactly_and_has_one_owner_in_all_interfaces(db: TestDb) {
        let auth = Auth::start(&db).await;
        let (upper, lower) = (auth.s_user("Alice").await, auth.s_user("alice").await);
        auth.register("bob").await.assert_status(201);

        let natives = [auth.register("ALICE").await, auth.register("alice").await];
        let taken = [auth.sign_up("Alice").await, auth.sign_up("bob").await, auth.sign_up("Bob").await];

        assert_eq!(natives.map(|answer| answer.problem().slug().to_owned()), ["username-taken"; 2]);
        taken.iter().for_each(|answer| assert_fields(answer, &["username"]));
        assert_ne!(auth.s_get("/auth/me/", &upper).await.value()["id"], auth.s_get("/auth/me/", &lower).await.value()["id"]);
        assert_fields(&auth.s_log_in("ALICE", SECRET).await, &["non_field_errors"]);
    }

    async fn of_many_who_ask_for_a_name_at_once_one_gets_it(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "4")]).await;

        let answers = futures_util::future::join_all((0..8).map(|_| auth.sign_up("alice"))).await;

        let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(made.len(), 1);
        refused.into_iter().for_each(|answer| assert_fields(answer, &["username"]));
    }

    async fn a_user_sees_nobody_else(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.sign_up("alice").await.expect(201).value();
        let bob = auth.sign_up("bob").await.expect(201).value();
        let token = auth.s_token("alice").await;
        let (own, other) = (format!("/auth/users/{}/", alice["id"]), format!("/auth/users/{}/", bob["id"]));

        for path in ["/auth/me/", "/auth/users/me/", &own] {
            assert_eq!(auth.s_get(path, &token).await.expect(200).value(), alice, "{path}");
        }
        assert_detail(&auth.s_get("/auth/users/", &token).await, 403);
        let body = json!({"email": "a@test.com", "current_password": SECRET});
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_detail(&auth.s(method.clone(), &other, Some(&token), &body).await, 403);
            for nobody in ["/auth/users/999999999/", "/auth/users/99999999999999999999999/"] {
                assert_detail(&auth.s(method.clone(), nobody, Some(&token), &body).await, 404);
            }
        }
        let bob_now = auth.s_get("/auth/me/", &auth.s_token("bob").await).await.value();
        assert_eq!(bob_now, bob);
    }

    async fn the_address_is_the_one_field_that_changes(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.sign_up("alice").await.expect(201).value();
        let (token, bob) = (auth.s_token("alice").await, auth.s_user("bob").await);
        let by_id = format!("/auth/users/{}/", alice["id"]);

        for (number, path) in ["/auth/me/", "/auth/users/me/", &by_id].into_iter().enumerate() {
            for method in [Method::PUT, Method::PATCH] {
                let address = format!("{}{number}@test.com", method.as_str());
                let sent = json!({"email": address, "username": "mallory", "id": 1, "password": "x"});
                let changed = auth.s(method.clone(), path, Some(&token), &sent).await.expect(200).value();
                assert_eq!(changed, json!({"email": address, "username": "alice", "id": alice["id"]}));
                assert_eq!(auth.s_get("/auth/me/", &token).await.value(), changed);
                let same = auth.s(method, path, Some(&token), &json!({})).await.expect(200).value();
                assert_eq!(same, changed);
            }
        }
        for wrong in [json!({"email": "nothing"}), json!({"email": null}), json!({"email": 7})] {
            assert_fields(&auth.s(Method::PATCH, "/auth/me/", Some(&token), &wrong).await, &["email"]);
        }
        let both = json!({"email": "shared@test.com"});
        auth.s(Method::PUT, "/auth/me/", Some(&token), &both).await.assert_status(200);
        auth.s(Method::PUT, "/auth/me/", Some(&bob), &both).await.assert_status(200);
        let none = auth.s(Method::PUT, "/auth/me/", Some(&token), &json!({"email": ""})).await.expect(200).value();
        assert_eq!(none["email"], "");
    }

    async fn the_address_of_a_user_identifies_nobody_in_our_own_interface(db: TestDb) {
        let auth = Auth::start(&db).await;
        let sent = json!({"username": "alice", "email": "alice@test.com", "password": SECRET});
        auth.s_post("/auth/users/", None, &sent).await.assert_status(201);

        auth.log_in("alice@test.com", SECRET).await.assert_status(401);

        let session = Session(auth.log_in("alice", SECRET).await.expect(201).value());
        let account = auth.with(&session).get("/v1/accounts/current").await.expect(200).value();
        assert_eq!((&account["username"], account.get("email")), (&json!("alice"), None));
    }

    async fn accounts_of_other_interfaces_are_none_here(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.register("carol").await.assert_status(201);
        auth.sign_up("alice").await.assert_status(201);
        let named = async |username: &str| {
            let path = "/internal/auth/v1/signal-server/accounts";
            auth.host.internal.post(path, &json!({"username": username})).await.expect(200).value()["user"].clone()
        };

        assert_fields(&auth.s_log_in("carol", PASSWORD).await, &["non_field_errors"]);
        assert_eq!([named("carol").await, named("Alice").await, named("a\u{0}").await], [Value::Null, Value::Null, Value::Null]);
        let session = Session(auth.log_in("alice", SECRET).await.expect(201).value());
        let alice = auth.s_get("/auth/me/", &auth.s_token("alice").await).await.value();
        assert_eq!(named("alice").await, json!({"accountId": session.text("accountId"), "userId": alice["id"]}));
    }

    async fn a_server_that_is_not_open_makes_no_users(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.registration", "invite")]).await;

        assert_detail(&auth.sign_up("alice").await, 403);
    }

    async fn registrations_of_one_address_run_out(db: TestDb) {
        let auth = Auth::start_with(&db, &[("limits.enabled", "true"), ("limits.registration_address.size", "2")]).await;

        let answers = [auth.sign_up("alice").await, auth.sign_up("bob").await, auth.sign_up("carol").await];

        assert_eq!(answers.each_ref().map(|answer| answer.status.as_u16()), [201, 201, 429]);
        assert_detail(&answers[2], 429);
        assert!(answers[2].header("retry-after").is_some_and(|wait| wait.parse::<u32>().unwrap() > 0));
    }
}
