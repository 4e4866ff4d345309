//! Starting, and the errors of handshake and verification: the rows of §3 of the gateway server's documents.

use common::models::AccountId;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{PASSWORD, Phone, TestApp, last, path, shown};

fn assert_text(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text));
}

/// Sends a body as it is.
async fn post(app: &TestApp, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = app.host.http.request(Method::POST, path).header("content-type", kind).body(body);
    app.host.http.send(request).await
}

on_both! {
    // Acceptance 1.
    async fn each_start_gives_the_url_of_a_session_of_its_own(db: TestDb) {
        let app = TestApp::start(&db).await;

        let (first, second) = (app.begin().await, app.begin().await);

        let base = app.host.url.replace("http://", "ws://");
        for url in [&first, &second] {
            assert_eq!(*url, format!("{base}/v2/sync/init/{}/{}", app.account, last(url)));
            assert_eq!(last(url).len(), 32);
            assert!(last(url).bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f')));
        }
        assert_ne!(last(&first), last(&second));
    }

    async fn only_the_user_may_start_and_only_what_is_public_is_served(db: TestDb) {
        let app = TestApp::start(&db).await;
        let users = format!("/v2/sync/users/{}", app.account);

        app.host.http.get(&users).await.assert_status(401);
        app.logged_in(AccountId::new()).get(&users).await.assert_status(401);
        let shouted = format!("/v2/sync/users/{}", app.account.to_string().to_uppercase());
        app.user().get(&shouted).await.assert_status(401);
        app.user().post(&users, &json!({})).await.assert_status(405);
        app.user().get("/v2/sync/users").await.assert_status(404);

        assert_eq!(app.count("sync_sessions").await, 0);
    }

    // Acceptance 9.
    async fn pause_ack_and_rotation_are_no_business_of_anybody_outside(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let (account, user) = (app.account, app.user());

        for what in ["pause", "ack"] {
            let path = format!("/v2/sync/{what}/{account}/{session}");
            user.get(&path).await.assert_status(404);
            let url = format!("{}{path}", app.host.url.replacen("http", "ws", 1));
            assert_eq!(crate::harness::Socket::try_open(&url).await.err(), Some(404));
        }
        let rotation = format!("/v2/sync/users/{account}/sessions/{session}");
        user.put(&rotation, &json!({})).await.assert_status(405);
    }

    // Acceptance 8: the rows of 3.2.
    async fn a_handshake_says_what_is_wrong_with_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let sessions = format!("/v2/sync/users/{}/sessions", app.account);
        let handshake = format!("{sessions}/{session}/handshake");
        let phone = Phone::new();
        let unknown = "failed to update user's public key";

        for body in ["", "{", "public_key=x", r#"{"public_key": 7}"#, r#"["x"]"#] {
            assert_text(&post(&app, &handshake, "application/json", body).await, 400, "poorly formed json");
        }
        assert_text(&post(&app, &handshake, "text/plain", "{}").await, 400, "missing public key");
        let weak = Phone::with(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
        let curve = Phone::with(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        for key in [&*weak.public_key, &*curve.public_key, "no key", ""] {
            let body = json!({"public_key": key}).to_string();
            assert_text(&post(&app, &handshake, "application/json", body).await, 400, "invalid public key");
        }
        for path in [
            format!("{sessions}/{}/handshake", "0".repeat(32)),
            format!("{sessions}/x/handshake"),
            format!("/v2/sync/users/{}/sessions/{session}/handshake", AccountId::new()),
            format!("/v2/sync/users/..%2f/sessions/{session}/handshake"),
        ] {
            assert_text(&phone.handshake(&app.host.http, &path).await, 400, unknown);
        }
        let large = format!("{{\"public_key\": \"{}\"}}", " ".repeat(64 * 1024));
        assert_text(&post(&app, &handshake, "application/json", large).await, 413, "body too large");
        app.host.http.get(&handshake).await.assert_status(405);

        // None of it has changed anything.
        phone.handshake(&app.host.http, &handshake).await.assert_status(200);
    }

    async fn a_handshake_answers_with_the_server_s_key_and_where_the_password_goes(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let handshake = format!("/v2/sync/users/{}/sessions/{session}/handshake", app.account);

        let answer = Phone::new().handshake(&app.host.http, &handshake).await.expect(200).value();

        let expected = json!({
            "public_key": app.server_key(),
            "verification_url": format!("/v2/sync/users/{}/sessions/{session}", app.account),
        });
        assert_eq!(answer, expected);
    }

    async fn a_session_takes_one_key(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let handshake = format!("/v2/sync/users/{}/sessions/{session}/handshake", app.account);
        let (phone, another, http) = (Phone::new(), Phone::new(), &app.host.http);

        let first = phone.handshake(http, &handshake).await.expect(200).value();
        let again = phone.handshake(http, &handshake).await.expect(200).value();
        let other = another.handshake(http, &handshake).await;
        phone.verify(http, &first, PASSWORD).await.assert_status(200);
        let after = phone.handshake(http, &handshake).await;

        assert_eq!(first, again);
        assert_text(&other, 409, "public key already set");
        assert_text(&after, 409, "public key already set");
    }

    // Acceptance 8: the rows of 3.3.
    async fn a_verification_says_what_is_wrong_with_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let url = app.begin().await;
        let sessions = format!("/v2/sync/users/{}/sessions", app.account);
        let session = format!("{sessions}/{}", last(&url));
        let phone = Phone::new();
        let encrypt = |password: &[u8]| phone.encrypt(&app.server_key(), password, "sha1");
        let right = json!({"password": encrypt(PASSWORD.as_bytes())}).to_string();
        let wrong = json!({"password": encrypt(b"wrong")}).to_string();
        let json = "application/json";

        for (kind, body) in [(json, "{"), (json, r#"{"password": 7}"#), ("text/plain", &*right)] {
            assert_text(&post(&app, &session, kind, body.to_owned()).await, 400, "invalid json");
        }
        assert_text(&post(&app, &session, json, "{}").await, 400, "missing password");
        assert_text(&post(&app, &session, json, r#"{"password": "a"}"#).await, 400, "invalid base64");
        let not_text = json!({"password": encrypt(b"\xff\xfe")}).to_string();
        for body in [r#"{"password": ""}"#, r#"{"password": "aGVsbG8="}"#, &not_text] {
            let answer = post(&app, &session, json, body.to_owned()).await;
            assert_text(&answer, 400, "error with decryption");
        }
        // Before the handshake, and of sessions that there are not: looked at after the password.
        let nobody = format!("/v2/sync/users/{}/sessions/{}", AccountId::new(), last(&url));
        let missing = format!("{sessions}/{}", "0".repeat(32));
        for path in [&session, &missing, &format!("{sessions}/x")] {
            assert_text(&post(&app, path, json, wrong.clone()).await, 401, "failed to authenticate");
            assert_text(&post(&app, path, json, right.clone()).await, 400, "invalid session requested");
        }
        for path in [&*nobody, "/v2/sync/users/alice/sessions/x"] {
            assert_text(&post(&app, path, json, right.clone()).await, 401, "failed to authenticate");
        }
        let locked = json!({"password": encrypt(b"locked")}).to_string();
        let locked = post(&app, &session, json, locked).await;
        assert_text(&locked, 429, "too many requests");
        assert_eq!(locked.header("retry-after"), Some("7"));
        app.user().get(&session).await.assert_status(405);
        assert_eq!(app.count("synchronized_devices").await, 0);
    }

    async fn either_hash_of_the_mask_may_be_asked_for(db: TestDb) {
        let app = TestApp::start(&db).await;
        let session = last(&app.begin().await);
        let (phone, http) = (Phone::new(), &app.host.http);
        let handshake = format!("/v2/sync/users/{}/sessions/{session}/handshake", app.account);
        let verification = phone.handshake(http, &handshake).await.expect(200).value();
        let verification = verification["verification_url"].as_str().unwrap().to_owned();
        let verify = async |password_mask: &str, more: Value| {
            let mut body = json!({"password": phone.encrypt(&app.server_key(), PASSWORD.as_bytes(), password_mask)});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            http.post(&verification, &body).await
        };

        let plain = verify("sha1", json!({})).await.expect(200).value();
        let both = json!({"decryption_hash": "sha256", "encryption_hash": "sha256"});
        let both = verify("sha256", both).await.expect(200).value();
        let named = json!({"decryption_hash": "sha1", "encryption_hash": null});
        let named = verify("sha1", named).await.expect(200).value();
        let password = verify("sha256", json!({"mgf1ParameterSpec": "sha256"})).await.expect(200).value();
        let shared = verify("sha1", json!({"mgf1ParameterSpec_dec": "sha256"})).await.expect(200).value();
        let earlier = json!({"decryption_hash": "sha1", "mgf1ParameterSpec": "sha256"});
        let earlier = verify("sha1", earlier).await.expect(200).value();
        let wrong = verify("sha256", json!({})).await;

        let key = phone.decrypt(plain["shared_key"].as_str().unwrap(), "sha1");
        assert_eq!(phone.decrypt(both["shared_key"].as_str().unwrap(), "sha256"), key);
        assert_eq!(phone.decrypt(named["shared_key"].as_str().unwrap(), "sha1"), key);
        assert_eq!(phone.decrypt(password["shared_key"].as_str().unwrap(), "sha1"), key);
        assert_eq!(phone.decrypt(shared["shared_key"].as_str().unwrap(), "sha256"), key);
        assert_eq!(phone.decrypt(earlier["shared_key"].as_str().unwrap(), "sha1"), key);
        assert_text(&wrong, 400, "error with decryption");
    }

    async fn urls_lead_to_the_public_url(db: TestDb) {
        let public = [("http.public_url", "https://a.example"), ("sync.public_url", "https://b.example/below")];
        let app = TestApp::start_with(&db, &public).await;

        let url = app.begin().await;
        let here = crate::harness::at(&format!("ws://x{}", path(&url).trim_start_matches("/below")), &app.host.url);
        let frame = crate::harness::Socket::open(&here).await.text().await;

        assert!(url.starts_with("wss://b.example/below/v2/sync/init/"), "{url}");
        let sessions = format!("https://b.example/below/v2/sync/users/{}/sessions/", app.account);
        assert!(frame.starts_with(&sessions) && frame.ends_with("/handshake"), "{frame}");
        assert_eq!(shown(&frame), last(&url));
    }
}
