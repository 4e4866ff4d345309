//! Tokens: what they say, whom they let in, and for how long.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::jws::{self, JwkSet, SignalServerClaims, VerifyingKey};
use common::models::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

use super::{SECRET, assert_detail, assert_fields, assert_unauthorized};
use crate::harness::{Auth, PASSWORD};

/// Every route that needs a token, with each of its methods.
fn protected() -> Vec<(Method, &'static str)> {
    let (get, post, put, patch, delete) =
        (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let own = [get.clone(), put.clone(), patch.clone(), delete];
    let mut routes = vec![
        (get.clone(), "/auth/me/"),
        (put, "/auth/me/"),
        (patch, "/auth/me/"),
        (get, "/auth/users/"),
        (post.clone(), "/auth/users/delete/"),
        (post.clone(), "/auth/users/change_username/"),
        (post.clone(), "/auth/username/"),
        (post, "/auth/password/"),
    ];
    for path in ["/auth/users/me/", "/auth/users/1/"] {
        routes.extend(own.iter().map(|method| (method.clone(), path)));
    }
    routes
}

on_both! {
    async fn a_token_says_who_for_how_long_and_verifies_with_the_public_keys(db: TestDb) {
        let auth = Auth::start(&db).await;
        let sent = json!({"username": "Alice", "email": "alice@test.com", "password": SECRET});
        let alice = auth.s_post("/auth/users/", None, &sent).await.expect(201).value();

        let token = auth.s_token("Alice").await;

        let set: JwkSet = auth.host.http.get("/.well-known/jwks.json").await.expect(200).json();
        let keys: Vec<VerifyingKey> = set.keys.iter().map(|jwk| jwk.try_into().unwrap()).collect();
        let find = |kid: &str| keys.iter().find(|key| key.kid() == kid).cloned();
        let claims: SignalServerClaims = jws::verify(&token, auth.clock.now(), find).unwrap();
        assert_eq!((json!(claims.user_id), &*claims.username, &*claims.email), (alice["id"].clone(), "Alice", "alice@test.com"));
        assert_eq!(claims.exp, auth.clock.now().as_secs() + 300);
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        let names: Vec<_> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["email", "exp", "iat", "sid", "sub", "user_id", "username"]);
    }

    async fn a_token_lets_in_for_five_minutes(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;

        auth.clock.advance(Duration::from_secs(299));
        auth.s_get("/auth/me/", &token).await.assert_status(200);
        auth.clock.advance(Duration::from_secs(1));

        assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
        assert_fields(&auth.s_post("/auth/jwt/verify/", None, &json!({"token": token})).await, &["non_field_errors"]);
    }

    async fn nobody_gets_in_without_a_token_of_this_interface(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let session = auth.session("carol").await;
        let native = session.text("accessToken").to_owned();
        let headers = [
            None,
            Some(String::new()),
            Some("Bearer".to_owned()),
            Some("Bearer ".to_owned()),
            Some(format!("Bearer {token} more")),
            Some(format!("JWT {token}")),
            Some(format!("Token {token}")),
            Some(token.clone()),
            Some("Bearer garbage".to_owned()),
            Some(format!("Bearer {native}")),
            Some(format!("Bearer {}x", &token[..token.len() - 1])),
        ];

        for (method, path) in protected() {
            for header in &headers {
                let mut request = auth.host.http.request(method.clone(), path).json(&json!({}));
                if let Some(header) = header {
                    request = request.header("Authorization", header);
                }
                assert_unauthorized(&auth.host.http.send(request).await);
            }
        }
        for scheme in ["bearer", "BEARER"] {
            let request = auth.host.http.request(Method::GET, "/auth/me/").header("Authorization", format!("{scheme} {token}"));
            auth.host.http.send(request).await.assert_status(200);
        }
    }

    async fn a_token_of_this_interface_opens_nothing_of_our_own(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let client = auth.host.http.with_token(&token);

        let answers = [
            client.get("/v1/accounts/current").await,
            client.get("/v1/sessions").await,
            client.delete("/v1/sessions").await,
            client.delete("/v1/sessions/current").await,
        ];

        assert_eq!(answers.map(|answer| answer.problem().status), [401; 4]);
        auth.s_get("/auth/me/", &token).await.assert_status(200);
    }

    async fn a_bad_token_is_refused_where_none_is_needed_but_not_where_one_is_asked_for(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let body = json!({"username": "bob", "password": SECRET, "email": "bob@test.com", "uid": "MQ", "token": "x"});

        for path in ["/auth/users/", "/auth/users/create/", "/auth/password/reset/", "/auth/password/reset/confirm/", "/auth/users/activate/", "/auth/users/confirm/"] {
            assert_unauthorized(&auth.s_post(path, Some("garbage"), &body).await);
        }
        auth.s_post("/auth/users/", Some(&token), &body).await.assert_status(201);
        auth.s_post("/auth/jwt/create/", Some("garbage"), &body).await.assert_status(200);
    }

    async fn a_token_is_judged_and_never_renewed(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let native = auth.session("carol").await;

        let echoed = auth.s_post("/auth/jwt/verify/", None, &json!({"token": token})).await.expect(200).value();

        assert_eq!(echoed, json!({"token": token}));
        for path in ["/auth/jwt/verify/", "/auth/jwt/refresh/"] {
            for wrong in [json!({"token": "garbage"}), json!({"token": native.text("accessToken")})] {
                assert_fields(&auth.s_post(path, None, &wrong).await, &["non_field_errors"]);
            }
            for wrong in [json!({}), json!({"token": ""}), json!({"token": null})] {
                assert_fields(&auth.s_post(path, None, &wrong).await, &["token"]);
            }
        }
        assert_fields(&auth.s_post("/auth/jwt/refresh/", None, &json!({"token": token})).await, &["non_field_errors"]);
    }

    async fn what_has_ended_is_remembered_for_as_long_as_a_token_of_either_kind_may_live(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.access_ttl", "1m")]).await;
        let (alice, bob) = (auth.s_user("alice").await, auth.s_user("bob").await);
        let rename = json!({"new_username": "alina", "current_password": SECRET});
        auth.s_post("/auth/username/", Some(&alice), &rename).await.assert_status(204);
        let delete = json!({"current_password": SECRET});
        auth.s_post("/auth/users/delete/", Some(&bob), &delete).await.assert_status(204);
        // As a process that starts now learns it.
        let ended = async || {
            let ended = auth.host.internal.get("/internal/auth/v1/revocations").await.expect(200).value();
            ["sessions", "accounts"].map(|kind| ended[kind].as_array().unwrap().len())
        };

        auth.clock.advance(Duration::from_secs(299));
        assert_eq!(ended().await, [2, 1]);
        auth.clock.advance(Duration::from_secs(1));
        assert_eq!(ended().await, [0, 0]);
    }

    async fn a_wrong_name_and_a_wrong_password_get_the_same_answer(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.sign_up("alice").await.assert_status(201);

        let wrong = auth.s_log_in("alice", "wrong").await;
        assert_fields(&wrong, &["non_field_errors"]);
        for (name, password) in [("nobody", SECRET), ("ALICE", SECRET), ("a\u{e9} /", "x"), ("alice", &*"x".repeat(5000))] {
            let answer = auth.s_log_in(name, password).await;
            assert_eq!((answer.status, answer.text()), (wrong.status, wrong.text()), "{name}");
        }
        for (body, fields) in [
            (json!({}), &["password", "username"][..]),
            (json!({"username": "alice"}), &["password"]),
            (json!({"username": "", "password": ""}), &["password", "username"]),
            (json!({"username": null, "password": {}}), &["password", "username"]),
            (json!(["alice", SECRET]), &["non_field_errors"]),
        ] {
            assert_fields(&auth.s_post("/auth/jwt/create/", None, &body).await, fields);
        }
    }

    async fn a_name_that_nobody_has_costs_as_much_as_a_wrong_password(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.sign_up("alice").await.assert_status(201);
        let cost = async |name: &str| {
            let started = Instant::now();
            auth.s_log_in(name, "wrong").await.assert_status(400);
            started.elapsed()
        };

        // Without a hash it would take a tenth, each time; what else the machine does may make all the first ones slow.
        let alike = |[known, unknown]: [Duration; 2]| known < 4 * unknown && unknown < 4 * known;
        let mut least = [Duration::MAX; 2];
        let mut pairs = 0;
        while pairs < 5 || (pairs < 50 && !alike(least)) {
            least = [least[0].min(cost("alice").await), least[1].min(cost("nobody").await)];
            pairs += 1;
        }

        assert!(alike(least), "{least:?}");
    }

    async fn guesses_run_out_alike_for_names_that_exist_and_that_do_not_and_in_all_interfaces(db: TestDb) {
        let auth = Auth::start_with(&db, &[
            ("auth.password_attempts.size", "3"),
            ("auth.password_attempts.refill", "1m"),
        ]).await;
        let token = auth.s_user("alice").await;

        for name in ["alice", "nobody"] {
            let mut statuses = Vec::new();
            for _ in 0..4 {
                statuses.push(auth.s_log_in(name, "wrong").await.status.as_u16());
            }
            assert_eq!(statuses, [400, 400, 400, 429], "{name}");
        }

        let refused = auth.s_log_in("alice", SECRET).await;
        assert_detail(&refused, 429);
        assert_eq!(refused.header("retry-after"), Some("60"));
        assert!(refused.text().contains("60 seconds"));
        auth.log_in("alice", SECRET).await.assert_status(429);
        auth.clock.advance(Duration::from_secs(60));
        auth.s_log_in("alice", SECRET).await.assert_status(200);
        auth.s_log_in("alice", "wrong").await.assert_status(400);
        assert_detail(&auth.s_log_in("alice", SECRET).await, 429);
        let shown = json!({"current_password": SECRET});
        auth.s(Method::DELETE, "/auth/users/me/", Some(&token), &shown).await.assert_status(204);
    }

    async fn logins_of_one_address_run_out(db: TestDb) {
        let auth = Auth::start_with(&db, &[("limits.enabled", "true"), ("limits.login_address.size", "2")]).await;
        auth.sign_up("alice").await.assert_status(201);

        let statuses = [auth.s_log_in("alice", SECRET).await, auth.s_log_in("bob", "x").await, auth.s_log_in("alice", SECRET).await];

        assert_eq!(statuses.map(|answer| answer.status.as_u16()), [200, 400, 429]);
    }

    async fn an_account_with_a_second_factor_is_not_opened_by_its_password_alone(db: TestDb) {
        let auth = Auth::start(&db).await;
        let sent = json!({"username": "alice", "password": PASSWORD});
        auth.s_post("/auth/users/", None, &sent).await.assert_status(201);
        auth.s_log_in("alice", PASSWORD).await.assert_status(200);
        let session = auth.again("alice").await;

        crate::totp::enrolled(&auth, &session).await;

        assert_fields(&auth.s_log_in("alice", PASSWORD).await, &["non_field_errors"]);
    }

    async fn sessions_of_tokens_are_sessions_and_end_as_those_do(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let session = crate::harness::Session(auth.log_in("alice", SECRET).await.expect(201).value());
        let client = auth.with(&session);

        let listed = client.get("/v1/sessions").await.expect(200).value()["sessions"].as_array().unwrap().len();
        client.delete("/v1/sessions").await.assert_status(204);

        assert_eq!(listed, 2);
        assert_unauthorized(&auth.s_get("/auth/me/", &token).await);
    }
}
