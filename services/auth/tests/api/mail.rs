//! Addresses confirmed, and passwords reset, by mail.

mod limits;
mod superseded;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::http::Answer;
use testkit::on_both;
use testkit::wait::{wait_for, wait_until};

use crate::harness::{Auth, PASSWORD, Session};
use crate::smtp::{MailServer, PUTS_OFF, REFUSES, TAKES};

const EMAIL: &str = "alice@example.org";
const NEW: &str = "a wholly new password";

/// Auth that puts its mails into a folder.
pub(crate) struct Post {
    pub(crate) auth: Auth,
    folder: tempfile::TempDir,
}

impl Post {
    async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail").display().to_string();
        let settings = [&[("auth.mail", &*path)], more].concat();
        Self { auth: Auth::start_with(db, &settings).await, folder }
    }

    pub(crate) fn mails(&self) -> Vec<PathBuf> {
        let mails = std::fs::read_dir(self.folder.path().join("mail"));
        let mails = mails.into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut mails: Vec<_> =
            mails.filter(|path| path.extension().is_some_and(|kind| kind == "eml")).collect();
        // Named by ids that sort by time.
        mails.sort();
        mails
    }

    /// The mail number `number`, counted from 1, once it is there.
    pub(crate) async fn mail(&self, number: usize) -> String {
        let path = wait_for("a mail", || async { self.mails().get(number - 1).cloned() }).await;
        std::fs::read_to_string(path).unwrap()
    }

    /// The token of the mail number `number`.
    async fn token(&self, number: usize) -> String {
        token(&self.mail(number).await)
    }

    /// An account whose address is confirmed.
    async fn verified(&self, username: &str, email: &str) -> Session {
        let before = self.mails().len();
        register(&self.auth, username, email).await.assert_status(201);
        let token = self.token(before + 1).await;
        verify(&self.auth, &token).await.assert_status(204);
        self.auth.again(username).await
    }
}

/// The line of a mail that is a token.
fn token(mail: &str) -> String {
    let is_token = |line: &&str| line.len() == 80 && line.as_bytes()[36] == b'.';
    mail.lines().find(is_token).unwrap_or_else(|| panic!("no token in {mail}")).to_owned()
}

async fn register(auth: &Auth, username: &str, email: &str) -> Answer {
    let body = json!({"username": username, "password": PASSWORD, "email": email});
    auth.host.http.post("/v1/accounts", &body).await
}

async fn verify(auth: &Auth, token: &str) -> Answer {
    auth.host.http.post("/v1/accounts/email/verify", &json!({"token": token})).await
}

async fn ask_reset(auth: &Auth, email: &str) -> Answer {
    auth.host.http.post("/v1/accounts/password/reset", &json!({"email": email})).await
}

async fn reset(auth: &Auth, token: &str) -> Answer {
    let body = json!({"token": token, "newPassword": NEW});
    auth.host.http.post("/v1/accounts/password/reset/confirm", &body).await
}

async fn email(auth: &Auth, session: &Session) -> Value {
    auth.with(session).get("/v1/accounts/current").await.expect(200).value()["email"].clone()
}

on_both! {
    async fn an_address_identifies_once_it_is_confirmed(db: TestDb) {
        let post = Post::start(&db).await;
        register(&post.auth, "alice", "Alice@Example.org").await.assert_status(201);
        let session = post.auth.again("alice").await;

        let before = email(&post.auth, &session).await;
        post.auth.log_in(EMAIL, PASSWORD).await.assert_status(401);
        let token = post.token(1).await;
        verify(&post.auth, &token).await.assert_status(204);
        let again = verify(&post.auth, &token).await;

        assert_eq!(before, json!({"value": EMAIL, "verified": false}));
        assert_eq!(email(&post.auth, &session).await, json!({"value": EMAIL, "verified": true}));
        assert_eq!(again.problem().slug(), "invalid-mail-token");
        post.auth.log_in("ALICE@example.org", PASSWORD).await.assert_status(201);
        let mail = &post.mails()[0];
        assert_eq!(mail.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(mail.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    async fn an_address_that_many_claim_belongs_to_who_confirms_it_first(db: TestDb) {
        let post = Post::start(&db).await;
        register(&post.auth, "alice", EMAIL).await.assert_status(201);
        let first = post.token(1).await;
        register(&post.auth, "mallory", EMAIL).await.assert_status(201);
        let second = post.token(2).await;

        verify(&post.auth, &first).await.assert_status(204);
        let late = verify(&post.auth, &second).await;

        assert_eq!((late.status.as_u16(), late.problem().slug()), (409, "email-taken"));
        let session = Session(post.auth.log_in(EMAIL, PASSWORD).await.expect(201).value());
        let account = post.auth.with(&session).get("/v1/accounts/current").await.expect(200).value();
        assert_eq!(account["username"], "alice");
    }

    async fn a_reset_by_mail_ends_all_sessions_and_works_once(db: TestDb) {
        let post = Post::start(&db).await;
        let session = post.verified("alice", EMAIL).await;
        let other = post.auth.again("alice").await;

        ask_reset(&post.auth, "ALICE@example.org").await.assert_status(202);
        let token = post.token(2).await;
        reset(&post.auth, &token).await.assert_status(204);
        let again = reset(&post.auth, &token).await;

        assert_eq!(again.problem().slug(), "invalid-mail-token");
        for ended in [&session, &other] {
            post.auth.with(ended).get("/v1/accounts/current").await.assert_status(401);
            post.auth.refresh(ended.text("refreshToken")).await.assert_status(401);
        }
        post.auth.log_in("alice", PASSWORD).await.assert_status(401);
        post.auth.log_in("alice", NEW).await.assert_status(201);
    }

    async fn whether_an_address_is_known_shows_in_no_answer(db: TestDb) {
        let post = Post::start(&db).await;
        post.verified("alice", EMAIL).await;
        register(&post.auth, "bob", "bob@example.org").await.assert_status(201);
        post.token(2).await;

        let mut answers = Vec::new();
        for address in [EMAIL, "bob@example.org", "nobody@example.org"] {
            let answer = ask_reset(&post.auth, address).await;
            answers.push((answer.status.as_u16(), answer.text()));
        }
        let token = post.token(3).await;
        wait_until("an end of the queue", || async {
            let metrics = post.auth.host.internal.get("/metrics").await.text();
            metrics.contains(r#"mails_total{outcome="dropped",service="auth"} 2"#)
        }).await;

        assert_eq!(answers, vec![(202, String::new()); 3]);
        assert_eq!(post.mails().len(), 3, "an address that is unknown, or not confirmed, gets nothing");
        assert!(token.starts_with(post.auth.again("alice").await.text("accountId")));
    }

    async fn a_mail_resets_no_password_that_was_changed_after_it(db: TestDb) {
        let post = Post::start(&db).await;
        let session = post.verified("alice", EMAIL).await;
        ask_reset(&post.auth, EMAIL).await.assert_status(202);
        let token = post.token(2).await;

        let change = json!({"currentPassword": PASSWORD, "newPassword": "another password"});
        post.auth.with(&session).put("/v1/accounts/current/password", &change).await.assert_status(204);

        assert_eq!(reset(&post.auth, &token).await.problem().slug(), "invalid-mail-token");
        post.auth.log_in("alice", "another password").await.assert_status(201);
    }

    async fn tokens_end_with_time_and_serve_one_purpose(db: TestDb) {
        let post = Post::start(&db).await;
        register(&post.auth, "alice", EMAIL).await.assert_status(201);
        let confirmation = post.token(1).await;

        reset(&post.auth, &confirmation).await.assert_status(422);
        verify(&post.auth, &confirmation).await.assert_status(204);
        ask_reset(&post.auth, EMAIL).await.assert_status(202);
        let token = post.token(2).await;
        verify(&post.auth, &token).await.assert_status(422);
        post.auth.clock.advance(Duration::from_secs(3600));
        reset(&post.auth, &token).await.assert_status(422);

        for junk in ["", "x", "a.b", &format!("{}x", &confirmation[..79])] {
            reset(&post.auth, junk).await.assert_status(422);
        }
        post.auth.log_in("alice", PASSWORD).await.assert_status(201);
    }

    async fn a_new_address_takes_over_once_it_is_confirmed(db: TestDb) {
        let post = Post::start(&db).await;
        let session = post.verified("alice", EMAIL).await;
        let client = post.auth.with(&session);
        let set = |email: Value, password: &str| {
            let body = json!({"email": email, "password": password});
            let client = client.clone();
            async move { client.put("/v1/accounts/current/email", &body).await }
        };

        set("new@example.org".into(), "not the password").await.assert_status(401);
        set("no address".into(), PASSWORD).await.assert_status(400);
        set("new@example.org".into(), PASSWORD).await.assert_status(202);
        let token = post.token(2).await;
        let meanwhile = email(&post.auth, &session).await;
        verify(&post.auth, &token).await.assert_status(204);
        let after = email(&post.auth, &session).await;
        set(Value::Null, PASSWORD).await.assert_status(204);

        assert_eq!(meanwhile, json!({"value": EMAIL, "verified": true}));
        assert_eq!(after, json!({"value": "new@example.org", "verified": true}));
        assert_eq!(email(&post.auth, &session).await, Value::Null);
        post.auth.log_in("new@example.org", PASSWORD).await.assert_status(401);
    }

    async fn a_mail_outlives_a_server_that_is_away_and_a_restart(db: TestDb) {
        let server = MailServer::start(PUTS_OFF).await;
        let settings = [("auth.mail", server.url())];
        let settings: Vec<_> = settings.iter().map(|(path, value)| (*path, value.as_str())).collect();
        let auth = Auth::start_with(&db, &settings).await;

        register(&auth, "alice", EMAIL).await.assert_status(201);
        wait_until("a first try", || async {
            let metrics = auth.host.internal.get("/metrics").await.text();
            metrics.contains(r#"mails_total{outcome="retried",service="auth"} 1"#)
        }).await;
        server.answers(TAKES);
        auth.host.stop().await;
        let auth = Auth::start_with(&db, &settings).await;
        // The pause before the second try. On SQLite a start is one.
        auth.clock.advance(Duration::from_secs(20));
        let mail = wait_for("the mail", || async { server.mails().pop() }).await;

        assert!(mail.contains("To: alice@example.org") && mail.contains("From: Sealpost"), "{mail}");
        verify(&auth, &token(&mail)).await.assert_status(204);
        assert_eq!(server.mails().len(), 1);
    }

    async fn a_mail_that_is_refused_for_good_is_given_up(db: TestDb) {
        let server = MailServer::start(REFUSES).await;
        let auth = Auth::start_with(&db, &[("auth.mail", &server.url())]).await;

        register(&auth, "alice", EMAIL).await.assert_status(201);
        wait_until("the end of the mail", || async {
            let metrics = auth.host.internal.get("/metrics").await.text();
            metrics.contains(r#"mails_total{outcome="given-up",service="auth"} 1"#)
        }).await;
        server.answers(TAKES);
        auth.clock.advance(Duration::from_secs(24 * 3600));
        register(&auth, "bob", "bob@example.org").await.assert_status(201);
        wait_for("another mail", || async { server.mails().pop() }).await;

        assert_eq!(server.mails().len(), 1);
    }

    async fn a_server_without_mail_says_so_to_everybody(db: TestDb) {
        let auth = Auth::start(&db).await;
        register(&auth, "alice", EMAIL).await.assert_status(201);

        let (known, unknown) = (ask_reset(&auth, EMAIL).await, ask_reset(&auth, "nobody@example.org").await);

        assert_eq!([known, unknown].map(|answer| answer.problem().slug().to_owned()), ["mail-not-configured"; 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_to_one_address_are_limited_whoever_asks() {
    let db = TestDb::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(folder.path()).display().to_string();
    let auth = Auth::start_with(
        &db,
        &[("auth.mail", &path), ("limits.enabled", "true"), ("limits.mail_target.size", "2")],
    )
    .await;

    let statuses = [
        ask_reset(&auth, EMAIL).await.status.as_u16(),
        ask_reset(&auth, "ALICE@EXAMPLE.ORG").await.status.as_u16(),
        ask_reset(&auth, EMAIL).await.status.as_u16(),
        ask_reset(&auth, "bob@example.org").await.status.as_u16(),
    ];

    assert_eq!(statuses, [202, 202, 429, 202]);
}
