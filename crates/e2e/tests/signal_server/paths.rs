//! Paths, methods, credentials and headers of keystore's and mailbox's part.

use reqwest::Method;
use serde_json::json;
use testkit::on_both;

use crate::harness::{Server, assert_detail};

const OWN: [&str; 5] =
    ["/device/", "/prekeys/1234/", "/signedprekey/1234/", "/prekeybundle/bob/1234/", "/messages/1234/"];

on_both! {
    async fn nobody_gets_past_a_path_without_a_token(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for path in OWN {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
                let refused = server.nobody().send(server.nobody().request(method, path).body("{")).await;
                assert_detail(&refused, 401);
                assert_eq!(refused.header("www-authenticate"), Some(r#"Bearer realm="api""#));
            }
        }
        server.pass(301);
        assert_detail(&alice.client.get("/messages/1234/").await, 401);
    }

    async fn a_missing_slash_is_added_by_a_redirect(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for path in OWN {
            let open = path.trim_end_matches('/');
            for method in [Method::GET, Method::POST] {
                let request = alice.client.request(method, &format!("{open}?a=b"));
                let moved = alice.client.send(request.json(&json!({}))).await.expect(301);
                assert_eq!(moved.header("location"), Some(format!("{path}?a=b").as_str()));
            }
        }
    }

    async fn what_is_not_there_is_not_found(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for path in [
            "/prekeys/", "/prekeys/x/", "/prekeys/1234/more/", "/signedprekey/", "/signedprekey/-1/", "/prekeybundle/",
            "/prekeybundle/bob/", "/prekeybundle/bob/x/", "/prekeybundle/a/b/1234/", "/messages/", "/messages/x/",
            "/messages/1234/5/", "/messages/1234.0/",
        ] {
            for method in [Method::GET, Method::POST] {
                let answer = alice.client.send(alice.client.request(method, path)).await.expect(404);
                assert_eq!(answer.value(), json!({"detail": "Not found."}), "{path}");
            }
        }
        assert_eq!(alice.client.get("/devices/").await.problem().status, 404, "elsewhere our own form");
    }

    async fn options_and_head_and_headers(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for (path, allowed) in [
            ("/device/", "DELETE, OPTIONS, POST"), ("/prekeys/1234/", "OPTIONS, POST"), ("/signedprekey/1234/", "OPTIONS, POST"),
            ("/prekeybundle/bob/1234/", "GET, HEAD, OPTIONS"), ("/messages/1234/", "DELETE, GET, HEAD, OPTIONS, POST"),
        ] {
            let options = alice.client.send(alice.client.request(Method::OPTIONS, path)).await.expect(200);
            assert_eq!(options.header("allow"), Some(allowed));
        }
        let head = alice.client.send(alice.client.request(Method::HEAD, "/messages/1234/")).await.expect(200);
        assert_eq!(head.text(), "");
        let request = alice.client.request(Method::GET, "/messages/1234/").header("accept", "image/png");
        assert_detail(&alice.client.send(request).await, 406);
        let paged = alice.client.request(Method::GET, "/messages/1234/").header("origin", "https://app.example");
        let answer = alice.client.send(paged).await.expect(200);
        for (name, value) in [
            ("x-robots-tag", "none"), ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"), ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }

    async fn the_path_of_woosh_stays_its_own(db: TestDb) {
        let server = Server::start(&db).await;
        let form = json!({"status": 401, "message": "unauthorized"});

        assert_eq!(server.nobody().get("/messages").await.expect(401).value(), form);
        let put = server.nobody().send(server.nobody().request(Method::PUT, "/messages")).await.expect(405);
        assert_eq!(put.value()["message"], "method not allowed");
    }

    async fn without_the_interface_there_is_nothing_of_it(db: TestDb) {
        let server = Server::start_with(&db, &[("compat.signal_server.enabled", "false"), ("compat.woosh.enabled", "false")]).await;

        for path in OWN.into_iter().chain(["/messages"]) {
            assert_eq!(server.nobody().get(path).await.problem().status, 404);
        }
    }
}
