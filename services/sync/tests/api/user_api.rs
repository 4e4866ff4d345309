//! Accounts of others: the user-management API of the gateway server's documents (§8.3), by a server of the test's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::models::{SharedClock, SystemClock};
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::on_both;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Phone, Socket, TestApp, happy_end, over, path};

const USER: &str = "dead3662-5f78-11ed-b8e7-6d06c3aaf3c6";

/// The API: answers by method and path, and the requests it has seen.
struct Users {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Users {
    /// Answers with heads and bodies by `METHOD /path`; what is not among them is 404. An empty head is no answer.
    async fn start(answers: &[(&str, &str, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: HashMap<String, (String, String)> = answers
            .iter()
            .map(|(call, head, body)| ((*call).to_owned(), ((*head).to_owned(), body.to_string())))
            .collect();
        let (answers, seen) = (Arc::new(answers), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// A sync service that asks this API.
    async fn sync(&self, db: &TestDb, more: &[(&str, &str)]) -> TestApp {
        self.sync_at(db, more, Arc::new(SystemClock)).await
    }

    async fn sync_at(&self, db: &TestDb, more: &[(&str, &str)], clock: SharedClock) -> TestApp {
        let [api, verification, platforms, phone] =
            ["/api", "/v2/users/%s/verify", "/v2/users/%s/platforms", "/phone"]
                .map(|path| self.url.clone() + path);
        let settings = [
            ("sync.user_api.api_url", &*api),
            ("sync.user_api.verification_url", &verification),
            ("sync.user_api.platforms_url", &platforms),
            ("sync.user_api.phone_url", &phone),
            // A busy machine takes its time to answer, and to make the app's key.
            ("sync.user_api.timeout", "20s"),
            ("sync.session_sleep_timeout", "60s"),
            ("sync.session_paused_timeout", "60s"),
            ("sync.recheck", "500ms"),
        ];
        TestApp::start_at(db, &[&settings[..], more].concat(), clock).await
    }
}

async fn answer(
    mut stream: TcpStream,
    answers: Arc<HashMap<String, (String, String)>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    let request = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        if read == 0 {
            return;
        }
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() >= length.parse::<usize>().unwrap() {
            break text;
        }
    };
    let call = request.split(" HTTP/").next().unwrap().to_owned();
    seen.lock().unwrap().push(request);
    let missing = ("404 Not Found\r\n".to_owned(), String::new());
    let (head, body) = answers.get(&call).unwrap_or(&missing);
    if head.is_empty() {
        return std::future::pending().await;
    }
    let answer = format!("HTTP/1.1 {head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn verify() -> String {
    format!("POST /v2/users/{USER}/verify")
}

fn platforms() -> String {
    format!("GET /v2/users/{USER}/platforms")
}

/// How long a call may take that is answered with this head; not long where no answer comes.
fn patience(head: &str) -> (&'static str, &'static str) {
    ("sync.user_api.timeout", if head.is_empty() { "500ms" } else { "20s" })
}

/// Starts a session as anybody, and follows its first URL.
async fn begin(app: &TestApp) -> (Socket, String) {
    let url = app.host.http.get(&format!("/v2/sync/users/{USER}")).await.expect(200).text();
    let mut socket = Socket::open(&url).await;
    let shown = socket.text().await;
    (socket, shown)
}

on_both! {
    async fn the_api_checks_the_password_and_lists_what_is_saved(db: TestDb) {
        let saved = json!([
            {"name": "gmail", "description": "Mail", "logo": "/logos/gmail.png", "initialization_url": "/i", "type": "email", "letter": "g"},
            {"name": "slack", "logo": "https://elsewhere.example/slack.png", "letter": "s"},
        ]);
        let users = Users::start(&[
            (&verify(), "200 OK\r\nset-cookie: sid=secret-cookie; HttpOnly\r\n", json!({})),
            (&platforms(), "200 OK\r\n", json!({"saved_platforms": saved, "unsaved_platforms": [{"name": "x"}]})),
            ("POST /phone", "200 OK\r\n", json!({"user_id": USER})),
        ]).await;
        let app = users.sync(&db, &[]).await;
        let (socket, shown) = begin(&app).await;
        let phone = Phone::new();

        let answer = phone.synchronize(&app.host.http, path(&shown), "pass\u{20ac}").await.expect(200).value();
        let keys = app.shared_keys("+237677123456").await.expect(200).value();

        assert_eq!(socket.rest().await.last(), happy_end().last());
        let mut expected = saved.clone();
        expected[0]["logo"] = json!(format!("{}/api/logos/gmail.png", users.url));
        assert_eq!(answer["user_platforms"], expected);
        assert_eq!(keys["userId"], USER);
        assert_eq!(keys["keys"][0]["key"], phone.decrypt(answer["shared_key"].as_str().unwrap(), "sha1"));
        let seen = users.seen();
        assert!(seen[0].ends_with("{\"password\":\"pass\u{20ac}\"}"), "{}", seen[0]);
        assert!(seen[1].to_lowercase().contains("cookie: sid=secret-cookie\r\n"), "{}", seen[1]);
        assert!(seen[2].ends_with(r#"{"phone_number":"+237677123456"}"#), "{}", seen[2]);
    }

    async fn whoever_asks_for_numbers_shows_who_it_is_where_that_is_wanted(db: TestDb) {
        let users = Users::start(&[
            ("POST /authenticate", "200 OK\r\nset-cookie: dev=1\r\n", json!({})),
            ("POST /phone", "200 OK\r\n", json!({"user_id": USER})),
        ]).await;
        let authentication = format!("{}/authenticate", users.url);
        let app = users.sync(&db, &[
            ("sync.user_api.authentication_url", &authentication),
            ("sync.user_api.auth_id", "relay"),
            ("sync.user_api.auth_key", "key"),
        ]).await;

        app.shared_keys("+237677123456").await.assert_status(200);

        let seen = users.seen();
        assert!(seen[0].ends_with(r#"{"auth_id":"relay","auth_key":"key"}"#), "{}", seen[0]);
        assert!(seen[1].to_lowercase().contains("cookie: dev=1\r\n"), "{}", seen[1]);
    }

    async fn an_api_that_refuses_or_is_away_is_a_wrong_password(db: TestDb) {
        for head in ["401 Unauthorized\r\n", "200 OK\r\n", "500 Oops\r\n", "302 Found\r\nlocation: /\r\n", ""] {
            let users = Users::start(&[(&verify(), head, json!({}))]).await;
            let app = users.sync(&db, &[patience(head)]).await;
            let (_socket, shown) = begin(&app).await;

            let answer = Phone::new().synchronize(&app.host.http, path(&shown), "password").await;

            assert_eq!((answer.status.as_u16(), &*answer.text()), (401, "failed to authenticate"), "{head}");
            app.host.stop().await;
        }
    }

    async fn without_a_list_of_platforms_there_is_no_ack_and_no_key(db: TestDb) {
        let broken = json!({"saved_platforms": "none"});
        for (head, body, timeout) in [
            ("500 Oops\r\n", json!({}), "20s"),
            ("200 OK\r\n", broken, "20s"),
            // Long enough for the call before, which is answered.
            ("", json!({}), "6s"),
        ] {
            let users =
                Users::start(&[(&verify(), "200 OK\r\nset-cookie: s=1\r\n", json!({})), (&platforms(), head, body)]).await;
            let clock = FakeClock::default();
            let app = users.sync_at(&db, &[("sync.user_api.timeout", timeout)], clock.shared()).await;
            let (socket, shown) = begin(&app).await;

            let answer = Phone::new().synchronize(&app.host.http, path(&shown), "password").await;

            assert_eq!((answer.status.as_u16(), &*answer.text()), (500, ""), "{head}");
            assert_eq!(app.count("synchronized_devices").await, 0);
            clock.advance(Duration::from_secs(60));
            let seen = socket.rest().await;
            assert!(!seen.contains(&happy_end()[0]) && seen.last() == Some(&over()), "{seen:?}");
            app.host.stop().await;
        }
    }

    async fn a_login_may_be_asked_for_nevertheless_and_open_starts_are_limited(db: TestDb) {
        let users = Users::start(&[]).await;
        let login = users.sync(&db, &[("sync.start", "login")]).await;
        login.host.http.get(&format!("/v2/sync/users/{USER}")).await.assert_status(401);
        login.host.stop().await;
        let limits =
            [("limits.enabled", "true"), ("limits.sync_start_user.size", "2"), ("limits.sync_start_user.refill", "1h")];
        let app = users.sync(&db, &limits).await;

        let mut statuses = Vec::new();
        for user in ["alice", "alice", "alice", "bob"] {
            statuses.push(app.host.http.get(&format!("/v2/sync/users/{user}")).await.status.as_u16());
        }

        assert_eq!(statuses, [200, 200, 429, 200]);
        app.host.http.get("/v2/sync/users/a%0ab").await.assert_status(400);
    }

    async fn a_number_that_the_api_does_not_know_has_no_user(db: TestDb) {
        for (head, body, status) in [
            ("404 Not Found\r\n", json!({}), 404),
            ("200 OK\r\n", json!({"user_id": null}), 404),
            ("200 OK\r\n", json!({"user_id": ".."}), 503),
            ("500 Oops\r\n", json!({}), 503),
            ("", json!({}), 503),
        ] {
            let users = Users::start(&[("POST /phone", head, body)]).await;
            let app = users.sync(&db, &[patience(head)]).await;
            app.shared_keys("+237677123456").await.assert_status(status);
            app.host.stop().await;
        }
    }
}
