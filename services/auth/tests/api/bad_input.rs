//! Whatever a client sends, the answer is a problem of the right status, and nothing is half-stored.

use serde_json::{Value, json};
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

on_both! {
    async fn every_route_refuses_what_breaks_its_rules(db: TestDb) {
        let auth = Auth::start(&db).await;
        let http = &auth.host.http;
        let long = "x".repeat(1025);
        let cases: Vec<(&str, Value, u16, &str)> = vec![
            ("/v1/accounts", json!({}), 400, ""),
            ("/v1/accounts", json!([]), 400, ""),
            ("/v1/accounts", json!({"username": 1, "password": PASSWORD}), 400, "/username"),
            ("/v1/accounts", json!({"username": "ab", "password": PASSWORD}), 400, "/username"),
            ("/v1/accounts", json!({"username": "a b c", "password": PASSWORD}), 400, "/username"),
            ("/v1/accounts", json!({"username": "carol", "password": "short"}), 400, "/password"),
            ("/v1/accounts", json!({"username": "carol", "password": long}), 400, "/password"),
            ("/v1/accounts", json!({"username": "carol", "password": PASSWORD, "admin": true}), 400, "/admin"),
            ("/v1/accounts", json!({"username": "carol", "password": PASSWORD, "phone": "0712"}), 400, "/phone"),
            ("/v1/sessions", json!({"username": "carol"}), 400, ""),
            ("/v1/sessions", json!({"username": "carol", "password": [PASSWORD]}), 400, "/password"),
            ("/v1/sessions/refresh", json!({"refreshToken": 7}), 400, "/refreshToken"),
            ("/v1/sessions/refresh", json!({"refreshToken": ""}), 401, ""),
            ("/v1/sessions/refresh", json!({"refreshToken": "a.b"}), 401, ""),
        ];
        for (path, body, status, pointer) in cases {
            let problem = http.post(path, &body).await.expect(status).problem();
            let at = problem.errors.first().map_or("", |error| error.pointer.as_str());
            assert_eq!(at, pointer, "{path} {body}");
            assert!(problem.instance.is_some(), "{path} {body}");
        }
        auth.log_in("carol", PASSWORD).await.assert_status(401);
    }

    async fn every_route_needs_its_credential(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let token = session.text("accessToken").to_owned();
        // The last character carries four bits of the signature: these two differ in them.
        let last = if token.ends_with('A') { "Q" } else { "A" };
        let tampered = format!("{}{last}", &token[..token.len() - 1]);
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);

        for bad in ["", "x", "a.b.c", tampered.as_str(), unsigned.as_str()] {
            let client = auth.host.http.with_token(bad);
            client.get("/v1/accounts/current").await.assert_status(401);
            client.delete("/v1/accounts/current").await.assert_status(401);
            client.delete("/v1/sessions/current").await.assert_status(401);
            client.delete("/v1/sessions").await.assert_status(401);
        }
        let internal = auth.host.internal.with_token(token);
        internal.get("/internal/auth/v1/revocations").await.assert_status(401);
        internal.post("/internal/auth/v1/nudge", &json!({})).await.assert_status(401);
        auth.host.http.get("/internal/auth/v1/revocations").await.assert_status(404);
        auth.with(&session).get("/v1/accounts/current").await.assert_status(200);
    }

    async fn oversized_and_malformed_bodies_are_refused(db: TestDb) {
        let auth = Auth::start(&db).await;
        let http = &auth.host.http;
        let post = |body: String, kind: &'static str| {
            http.send(http.request(reqwest::Method::POST, "/v1/accounts").header("content-type", kind).body(body))
        };

        let malformed = post("{".to_owned(), "application/json").await;
        let binary = post("\u{0}".to_owned(), "application/json").await;
        let form = post("a=b".to_owned(), "application/x-www-form-urlencoded").await;
        let huge = post(format!("\"{}\"", "x".repeat(2_000_000)), "application/json").await;
        let method = http.get("/v1/accounts").await;
        let path = http.get("/v1/nothing").await;

        let statuses = [malformed, binary, form, huge, method, path].map(|answer| answer.problem().status);
        assert_eq!(statuses, [400, 400, 415, 413, 405, 404]);
    }
}
