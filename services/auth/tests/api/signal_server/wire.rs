//! Paths, methods, headers and bodies, whatever a route is for.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;
use testkit::wait::wait_for;

use super::{SECRET, assert_detail, assert_fields, assert_unauthorized};
use crate::harness::Auth;

/// Paths that may do without their slash, and those that may not, with the methods they take.
const OPTIONAL: [(&str, &str); 11] = [
    ("/auth/me", "GET, HEAD, OPTIONS, PATCH, PUT"),
    ("/auth/users/create", "OPTIONS, POST"),
    ("/auth/users/delete", "OPTIONS, POST"),
    ("/auth/users/activate", "OPTIONS, POST"),
    ("/auth/username", "OPTIONS, POST"),
    ("/auth/password", "OPTIONS, POST"),
    ("/auth/password/reset", "OPTIONS, POST"),
    ("/auth/password/reset/confirm", "OPTIONS, POST"),
    ("/auth/jwt/create", "OPTIONS, POST"),
    ("/auth/jwt/verify", "OPTIONS, POST"),
    ("/auth/jwt/refresh", "OPTIONS, POST"),
];
const NEEDED: [(&str, &str); 5] = [
    ("/auth/users", "GET, HEAD, OPTIONS, POST"),
    ("/auth/users/me", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ("/auth/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ("/auth/users/confirm", "OPTIONS, POST"),
    ("/auth/users/change_username", "OPTIONS, POST"),
];

impl Auth {
    async fn plain(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Answer {
        let mut request = self.host.http.request(method.clone(), path).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.host.http.send(request).await
    }
}

on_both! {
    async fn a_slash_at_the_end_is_added_or_may_be_left_out(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;

        for (path, _) in NEEDED {
            for method in [Method::GET, Method::POST] {
                let answer = auth.s(method, &format!("{path}?a=%2F&b"), Some(&token), &Value::Null).await.expect(301);
                assert_eq!(answer.header("location"), Some(&*format!("{path}/?a=%2F&b")));
            }
        }
        for (path, _) in OPTIONAL {
            let statuses = [path.to_owned(), format!("{path}/"), format!("{path}?x=1")].map(|path| auth.plain_status(path, &token));
            let statuses = futures_util::future::join_all(statuses).await;
            assert!(statuses.iter().all(|status| *status == statuses[0] && ![301, 404].contains(status)), "{path}: {statuses:?}");
        }
        let made = auth.s_post("/auth/users/create", None, &json!({"username": "bob", "password": SECRET})).await;
        made.assert_status(201);
        auth.s_post("/auth/jwt/create", None, &json!({"username": "bob", "password": SECRET})).await.assert_status(200);
        auth.s_get("/auth/me", &token).await.assert_status(200);
    }

    async fn a_wrong_method_is_told_after_the_token(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let invented = Method::from_bytes(b"BREW").unwrap();
        let open = |path: &str| path.contains("jwt") || path == "/auth/password/reset" || path.contains("activate") || path.contains("create") || path == "/auth/password/reset/confirm";

        for (path, allowed) in OPTIONAL.into_iter().chain(NEEDED) {
            let path = format!("{path}/");
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, invented.clone()] {
                if allowed.split(", ").any(|allowed| allowed == method.as_str()) {
                    continue;
                }
                let answer = auth.s(method.clone(), &path, Some(&token), &json!({})).await;
                assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allowed)), "{method} {path}");
                if method != Method::HEAD {
                    assert_detail(&answer, 405);
                    let anonymous = auth.s(method, &path, None, &json!({})).await;
                    assert_eq!(anonymous.status.as_u16(), if open(path.trim_end_matches('/')) { 405 } else { 401 }, "{path}");
                }
            }
            let about = auth.s(Method::OPTIONS, &path, Some(&token), &Value::Null).await.expect(200);
            assert_eq!(about.header("allow"), Some(allowed));
            assert!(about.value()["parses"].as_array().unwrap().contains(&json!("application/json")));
        }
        for path in ["/auth/me/", "/auth/users/", "/auth/users/confirm/", "/auth/users/nobody/"] {
            assert_unauthorized(&auth.s(Method::OPTIONS, path, None, &Value::Null).await);
        }
        assert_detail(&auth.s_get("/auth/users/nobody/", &token).await, 404);
        assert_unauthorized(&auth.s(Method::GET, "/auth/users/nobody/", None, &Value::Null).await);
    }

    async fn head_is_get_without_its_body(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;

        for path in ["/auth/me/", "/auth/me", "/auth/users/me/"] {
            let head = auth.s(Method::HEAD, path, Some(&token), &Value::Null).await.expect(200);
            let get = auth.s_get(path, &token).await;
            assert_eq!((head.text().as_str(), head.header("content-length")), ("", get.header("content-length")));
        }
        auth.s(Method::HEAD, "/auth/users/", Some(&token), &Value::Null).await.assert_status(403);
        auth.s(Method::HEAD, "/auth/me/", None, &Value::Null).await.assert_status(401);
        auth.s(Method::HEAD, "/auth/users", None, &Value::Null).await.assert_status(301);
    }

    async fn below_its_prefix_an_unknown_path_is_refused_in_its_form(db: TestDb) {
        let auth = Auth::start(&db).await;

        for path in ["/auth", "/auth/", "/auth/nothing", "/auth/nothing/", "/auth/users/me/more/", "/auth/users/a.b/", "/auth/jwt/", "/auth/me//", "/auth/%2fme/"] {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let answer = auth.s(method.clone(), path, None, &Value::Null).await;
                assert_detail(&answer, 404);
                assert_eq!(answer.value()["detail"], "Not found.", "{method} {path}");
            }
        }
        assert_eq!(auth.host.http.get("/authority").await.problem().slug(), "no-such-route");
    }

    async fn without_the_interface_there_is_nothing_at_its_paths(db: TestDb) {
        let auth = Auth::start_with(&db, &[("compat.signal_server.enabled", "false")]).await;

        assert_eq!(auth.sign_up("alice").await.expect(404).problem().slug(), "no-such-route");
    }

    async fn every_answer_has_the_headers_that_protect_it(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("alice").await;
        let null = Value::Null;

        let answers = [
            auth.s_get("/auth/me/", &token).await.expect(200),
            auth.s(Method::OPTIONS, "/auth/me/", Some(&token), &null).await.expect(200),
            auth.s_get("/auth/users", &token).await.expect(301),
            auth.s_post("/auth/users/", None, &null).await.expect(400),
            auth.s(Method::GET, "/auth/me/", None, &null).await.expect(401),
            auth.s_get("/auth/users/", &token).await.expect(403),
            auth.s_get("/auth/nothing/", &token).await.expect(404),
            auth.s(Method::PUT, "/auth/users/", Some(&token), &null).await.expect(405),
        ];

        for answer in &answers {
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            assert_eq!(
                ["x-robots-tag", "x-frame-options", "x-content-type-options", "referrer-policy"].map(header),
                ["none", "DENY", "nosniff", "same-origin"]
            );
            assert_eq!(answer.header("strict-transport-security"), None);
        }
        let secure = auth.plain(&Method::GET, "/auth/me/", &[("X-Forwarded-Proto", "https")], "").await;
        assert_eq!(secure.header("strict-transport-security"), Some("max-age=3600"));
    }

    async fn a_page_of_any_origin_may_call(db: TestDb) {
        let auth = Auth::start(&db).await;
        let origin = ("Origin", "https://app.example");

        let asked = [origin, ("Access-Control-Request-Method", "DELETE"), ("Access-Control-Request-Headers", "authorization")];
        for path in ["/auth/users/me/", "/auth/users/me", "/auth/nothing/"] {
            let answer = auth.plain(&Method::OPTIONS, path, &asked, "").await.expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("access-control-allow-methods"), Some("DELETE, GET, OPTIONS, PATCH, POST, PUT"));
            assert!(answer.header("access-control-allow-headers").unwrap().contains("authorization"));
            assert_eq!(answer.header("access-control-max-age"), Some("86400"));
            assert_eq!((answer.header("access-control-allow-credentials"), answer.text()), (None, String::new()));
        }
        let plain = auth.plain(&Method::GET, "/auth/me/", &[origin], "").await;
        assert_unauthorized(&plain);
        assert_eq!(plain.header("access-control-allow-origin"), Some("*"));
        assert_eq!(auth.plain(&Method::GET, "/auth/me/", &[], "").await.header("access-control-allow-origin"), None);
    }

    async fn a_body_comes_in_three_forms(db: TestDb) {
        let auth = Auth::start(&db).await;
        let boundary = "multipart/form-data; boundary=frontier";
        let parts = "--frontier\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nformer\r\n\
            --frontier\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nxK9!mPq2\r\n--frontier--\r\n";

        for (kind, body) in [
            ("application/json; charset=utf-8", "{\"username\": \"json\", \"password\": \"xK9!mPq2\"}"),
            ("application/x-www-form-urlencoded", "username=form&password=xK9%21mPq2"),
            (boundary, parts),
        ] {
            auth.plain(&Method::POST, "/auth/users/", &[("Content-Type", kind)], body).await.assert_status(201);
        }
        for name in ["json", "form", "former"] {
            auth.s_token(name).await;
        }
    }

    async fn a_body_that_is_none_of_them_is_refused(db: TestDb) {
        let auth = Auth::start(&db).await;
        let json = "application/json";

        for (kind, body, status) in [
            ("text/plain", "username=x", 415),
            ("application/xml", "<x/>", 415),
            (json, "{", 400),
            (json, "{\"username\": NaN}", 400),
            (json, "{\"username\": \"\\ud800\"}", 400),
            (json, "username=x", 400),
            ("multipart/form-data", "x", 400),
            ("multipart/form-data; boundary=a", "x", 400),
        ] {
            for path in ["/auth/users/", "/auth/jwt/create/", "/auth/password/reset/"] {
                let answer = auth.plain(&Method::POST, path, &[("Content-Type", kind)], body).await;
                assert_detail(&answer, status);
            }
        }
        assert_detail(&auth.s_post("/auth/users/", None, &json!({"username": "x".repeat(2_000_000)})).await, 413);
        for kind in ["text/plain", json, ""] {
            let answer = auth.plain(&Method::POST, "/auth/users/", &[("Content-Type", kind)], "").await;
            assert_fields(&answer, &["password", "username"]);
        }
    }

    async fn a_server_that_is_busy_says_so_in_the_same_form(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "1"), ("auth.hashing_queue", "0")]).await;

        let mut rounds = 0;
        // Each hash begins after a commit. Where those are slow, some rounds pass before two hashes meet.
        let answers = wait_for("two hashes that meet", || {
            rounds += 1;
            // Of different names: logins of one wait for each other, and have so many guesses.
            let names: Vec<String> = (0..6).map(|number| format!("nobody{number}of{rounds}")).collect();
            let auth = &auth;
            async move {
                let answers = join_all(names.iter().map(|name| auth.s_log_in(name, SECRET))).await;
                answers.iter().any(|answer| answer.status != 400).then_some(answers)
            }
        })
        .await;

        let busy: Vec<_> = answers.iter().filter(|answer| answer.status != 400).collect();
        assert!(!busy.is_empty() && busy.len() < answers.len());
        for answer in busy {
            assert_detail(answer, 503);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }

    async fn who_wants_to_read_no_json_is_refused_before_anything_else(db: TestDb) {
        let auth = Auth::start(&db).await;

        for (accept, status) in [
            ("application/json", 401),
            ("text/html,application/xhtml+xml;q=0.9", 401),
            ("*/*;q=0.1", 401),
            ("image/png, application/*", 401),
            ("image/png", 406),
            ("application/xml, text/plain", 406),
        ] {
            let answer = auth.plain(&Method::GET, "/auth/me/", &[("Accept", accept)], "").await;
            assert_detail(&answer, status);
        }
    }
}

impl Auth {
    /// The status of an empty POST, or of a GET where a path takes no POST.
    async fn plain_status(&self, path: String, token: &str) -> u16 {
        let method = if path.starts_with("/auth/me") { Method::GET } else { Method::POST };
        self.s(method, &path, Some(token), &json!({})).await.status.as_u16()
    }
}
