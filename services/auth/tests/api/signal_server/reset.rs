//! Passwords reset by mail, and activation, which no account needs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;
use testkit::wait::wait_until;

use super::{SECRET, assert_detail, assert_fields, assert_unauthorized};
use crate::harness::{Auth, Session};
use crate::mail::Post;

const NEW: &str = "aW7?rLt4";
const EMAIL: &str = "alice@test.com";
const URL: &str = "https://s.example/base";

async fn start(db: &testkit::database::TestDb) -> Post {
    Post::start_with(db, &[("http.public_url", URL)]).await
}

async fn sign_up(auth: &Auth, username: &str, email: &str) -> Answer {
    auth.s_post("/auth/users/", None, &json!({"username": username, "email": email, "password": SECRET}))
        .await
}

async fn ask(auth: &Auth, email: &str) -> Answer {
    auth.s_post("/auth/password/reset/", None, &json!({"email": email})).await
}

async fn confirm(auth: &Auth, (uid, token): &(String, String), new: &str) -> Answer {
    let body = json!({"uid": uid, "token": token, "new_password": new});
    auth.s_post("/auth/password/reset/confirm/", None, &body).await
}

/// What is in the links of a mail, by the order of their users.
fn keys(mail: &str) -> Vec<(String, String)> {
    let links = mail
        .lines()
        .filter_map(|line| line.strip_prefix("https://s.example/base/auth/password/reset/confirm"));
    let keys: Vec<_> = links.filter_map(|link| link.split_once('/')).collect();
    assert!(!keys.is_empty(), "no link in {mail}");
    keys.into_iter().map(|(uid, token)| (uid.to_owned(), token.trim_end().to_owned())).collect()
}

fn path((uid, token): &(String, String)) -> String {
    format!("/auth/password/reset/confirm{uid}/{token}")
}

on_both! {
    async fn whoever_reads_the_address_chooses_a_new_password_once(db: TestDb) {
        let post = start(&db).await;
        sign_up(&post.auth, "alice", "Alice@TEST.com").await.assert_status(201);
        let token = post.auth.s_token("alice").await;
        let native = Session(post.auth.log_in("alice", SECRET).await.expect(201).value());

        ask(&post.auth, EMAIL).await.assert_status(204);
        let mail = post.mail(1).await;
        let key = &keys(&mail)[0];
        confirm(&post.auth, key, NEW).await.assert_status(204);

        assert!(mail.contains("To: alice@test.com") && mail.contains("for alice:"), "{mail}");
        assert_fields(&confirm(&post.auth, key, "zT5!nGh8").await, &["non_field_errors", "token"]);
        assert_unauthorized(&post.auth.s_get("/auth/me/", &token).await);
        post.auth.with(&native).get("/v1/accounts/current").await.assert_status(401);
        assert_fields(&post.auth.s_log_in("alice", SECRET).await, &["non_field_errors"]);
        post.auth.s_log_in("alice", NEW).await.assert_status(200);
    }

    async fn asking_tells_nothing_and_an_address_that_nobody_has_gets_no_mail(db: TestDb) {
        let post = start(&db).await;
        sign_up(&post.auth, "alice", EMAIL).await.assert_status(201);

        let (unknown, known) = (ask(&post.auth, "nobody@test.com").await, ask(&post.auth, EMAIL).await);

        assert_eq!((unknown.status, unknown.text()), (known.status, known.text()));
        known.assert_status(204);
        for wrong in [json!({}), json!({"email": ""}), json!({"email": "nothing"}), json!({"email": null}), json!({"email": [EMAIL]})] {
            assert_fields(&post.auth.s_post("/auth/password/reset/", None, &wrong).await, &["email"]);
        }
        post.mail(1).await;
        wait_until("the other is dropped", || async {
            let metrics = post.auth.host.internal.get("/metrics").await.text();
            metrics.lines().any(|line| line.starts_with("sealpost_auth_mails_total{outcome=\"dropped\"") && line.ends_with(" 1"))
        }).await;
        assert_eq!(post.mails().len(), 1);
    }

    async fn everybody_who_gave_the_address_has_a_link_of_their_own(db: TestDb) {
        let post = start(&db).await;
        for name in ["alice", "алиса", "Alice"] {
            sign_up(&post.auth, name, EMAIL).await.assert_status(201);
        }
        sign_up(&post.auth, "bob", "bob@test.com").await.assert_status(201);

        ask(&post.auth, "ALICE@test.com").await.assert_status(204);
        let mail = post.mail(1).await;

        // Not ASCII, so it is encoded: read as a mail program would.
        let text = String::from_utf8(decoded_body(&mail)).unwrap();
        let keys = keys(&text);
        assert_eq!(keys.len(), 3, "{text}");
        confirm(&post.auth, &(keys[0].0.clone(), keys[1].1.clone()), NEW).await.assert_status(400);
        confirm(&post.auth, &keys[1], NEW).await.assert_status(204);
        post.auth.s_log_in("алиса", NEW).await.assert_status(200);
        post.auth.s_log_in("alice", SECRET).await.assert_status(200);
        confirm(&post.auth, &keys[2], NEW).await.assert_status(204);
        post.auth.s_log_in("Alice", NEW).await.assert_status(200);
    }

    async fn a_link_ends_with_its_time_its_address_its_user_and_another_password(db: TestDb) {
        let post = start(&db).await;
        for name in ["late", "moved", "gone", "changed"] {
            sign_up(&post.auth, name, &format!("{name}@test.com")).await.assert_status(201);
            ask(&post.auth, &format!("{name}@test.com")).await.assert_status(204);
        }
        let mut found = Vec::new();
        for number in 1..=4 {
            found.push(keys(&post.mail(number).await)[0].clone());
        }
        // By number, which is the order of the users whatever that of the mails was.
        found.sort();
        let [late, moved, gone, changed] = &found[..] else { panic!("{found:?}") };
        let token = post.auth.s_token("moved").await;
        for address in ["other@test.com", "moved@test.com"] {
            let moved = json!({"email": address});
            post.auth.s(Method::PATCH, "/auth/me/", Some(&token), &moved).await.assert_status(200);
        }
        let token = post.auth.s_token("changed").await;
        let change = json!({"new_password": "zT5!nGh8", "current_password": SECRET});
        post.auth.s_post("/auth/password/", Some(&token), &change).await.assert_status(204);
        let token = post.auth.s_token("gone").await;
        let shown = json!({"current_password": SECRET});
        post.auth.s_post("/auth/users/delete/", Some(&token), &shown).await.assert_status(204);

        for dead in [moved, changed] {
            assert_fields(&confirm(&post.auth, dead, NEW).await, &["non_field_errors", "token"]);
        }
        assert_fields(&confirm(&post.auth, gone, NEW).await, &["uid"]);
        post.auth.clock.advance(Duration::from_secs(3600));
        assert_fields(&confirm(&post.auth, late, NEW).await, &["non_field_errors", "token"]);
    }

    async fn what_is_wrong_with_a_confirmation_is_told_by_field(db: TestDb) {
        let post = start(&db).await;
        sign_up(&post.auth, "alice", EMAIL).await.assert_status(201);
        ask(&post.auth, EMAIL).await.assert_status(204);
        let key = keys(&post.mail(1).await)[0].clone();
        let (uid, token) = key.clone();
        let other = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);

        for (body, fields) in [
            (json!({}), &["new_password", "token", "uid"][..]),
            (json!({"uid": "!", "token": token, "new_password": NEW}), &["uid"]),
            (json!({"uid": "OTk5OTk5", "token": token, "new_password": NEW}), &["uid"]),
            (json!({"uid": uid, "token": "x", "new_password": NEW}), &["non_field_errors", "token"]),
            (json!({"uid": uid, "token": other, "new_password": NEW}), &["non_field_errors", "token"]),
            (json!({"uid": uid, "token": token, "new_password": "alice123"}), &["new_password"]),
            (json!({"uid": uid, "token": token, "new_password": "x".repeat(1025)}), &["new_password"]),
            (json!([]), &["non_field_errors"]),
        ] {
            assert_fields(&post.auth.s_post("/auth/password/reset/confirm/", None, &body).await, fields);
        }
        confirm(&post.auth, &key, NEW).await.assert_status(204);
    }

    async fn the_link_leads_to_a_page_that_does_the_same(db: TestDb) {
        let post = start(&db).await;
        sign_up(&post.auth, "alice", EMAIL).await.assert_status(201);
        ask(&post.auth, EMAIL).await.assert_status(204);
        let path = path(&keys(&post.mail(1).await)[0]);
        let http = &post.auth.host.http;
        let submit = async |one: &str, other: &str| {
            let form = format!("new_password1={one}&new_password2={other}");
            let request = http.request(Method::POST, &path).header("Content-Type", "application/x-www-form-urlencoded");
            http.send(request.body(form)).await.expect(200).text()
        };

        let shown = http.send(http.request(Method::GET, &path).header("Accept", "text/html")).await.expect(200);
        let refused = [submit("xK9", "xK9").await, submit(NEW, "other").await, submit("alice123", "alice123").await];
        let done = submit("aW7%3FrLt4", "aW7%3FrLt4").await;

        assert_eq!(shown.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!((shown.header("cache-control"), shown.header("referrer-policy")), (Some("no-store"), Some("same-origin")));
        assert!(shown.text().contains("<form"));
        refused.iter().for_each(|page| assert!(page.contains("<li>") && page.contains("<form"), "{page}"));
        assert!(done.contains("is set") && !done.contains("<form"), "{done}");
        post.auth.s_log_in("alice", NEW).await.assert_status(200);
        for used in [http.get(&path).await.expect(200).text(), submit(NEW, NEW).await] {
            assert!(used.contains("not valid") && !used.contains("<form"), "{used}");
        }
        assert!(http.get("/auth/password/reset/confirmMQ/%22%3E%3Cscript%3E").await.expect(200).text().contains("not valid"));
    }

    async fn without_an_address_of_its_own_the_mail_has_what_an_application_needs(db: TestDb) {
        let post = Post::start_with(&db, &[]).await;
        sign_up(&post.auth, "alice", EMAIL).await.assert_status(201);
        ask(&post.auth, EMAIL).await.assert_status(204);

        let mail = post.mail(1).await;

        let line = |name: &str| mail.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_end().to_owned();
        let page = post.auth.host.http.get(&format!("/auth/{}", line("/auth/"))).await.expect(200);
        assert!(page.text().contains("<form"));
        confirm(&post.auth, &(line("uid: "), line("token: ")), NEW).await.assert_status(204);
    }

    async fn a_link_may_lead_elsewhere(db: TestDb) {
        let post = Post::start_with(&db, &[("compat.signal_server.reset_link", "app://reset/{uid}/{token}")]).await;
        sign_up(&post.auth, "alice", EMAIL).await.assert_status(201);
        ask(&post.auth, EMAIL).await.assert_status(204);

        let mail = post.mail(1).await;

        let link = mail.lines().find_map(|line| line.strip_prefix("app://reset/")).unwrap().trim_end();
        let (uid, token) = link.split_once('/').unwrap();
        confirm(&post.auth, &(uid.to_owned(), token.to_owned()), NEW).await.assert_status(204);
    }

    async fn a_server_without_mail_says_so(db: TestDb) {
        let auth = Auth::start(&db).await;

        assert_detail(&ask(&auth, EMAIL).await, 422);
    }

    async fn mails_to_one_address_run_out(db: TestDb) {
        let post = Post::start_with(&db, &[("limits.enabled", "true"), ("limits.mail_target.size", "1")]).await;

        let statuses = [ask(&post.auth, EMAIL).await, ask(&post.auth, "Alice@test.com").await, ask(&post.auth, "b@test.com").await];

        assert_eq!(statuses.map(|answer| answer.status.as_u16()), [204, 429, 204]);
    }

    async fn nothing_is_to_be_activated(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.sign_up("alice").await.expect(201).value();

        for path in ["/auth/users/activate/", "/auth/users/confirm/"] {
            assert_fields(&auth.s_post(path, None, &json!({})).await, &["token", "uid"]);
            assert_fields(&auth.s_post(path, None, &json!({"uid": "OTk5OTk5", "token": "x"})).await, &["uid"]);
            let uid = URL_SAFE_NO_PAD.encode(alice["id"].to_string());
            assert_fields(&auth.s_post(path, None, &json!({"uid": uid, "token": "x"})).await, &["non_field_errors", "token"]);
            assert_fields(&auth.s_post(path, None, &Value::Null).await, &["non_field_errors"]);
        }
    }
}

/// The body of a mail, decoded (RFC 2045 §6.7, §6.8), by another hand.
fn decoded_body(mail: &str) -> Vec<u8> {
    let script = "import email, sys; sys.stdout.buffer.write(email.message_from_bytes(sys.stdin.buffer.read()).get_payload(decode=True))";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), mail.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}
