//! A sync service, the auth that it asks about passwords and numbers, and apps that synchronize with OpenSSL's program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use common::crypto::oaep::OaepPrivateKey;
use common::models::sync::{SyncPassword, SyncPhone, SyncUser, SyncVerdict};
use common::models::{AccountId, SharedClock, SystemClock};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::auth::FakeAuth;
use testkit::database::TestDb;
use testkit::host::{DATA_KEY, HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::program::{Program, ProgramSettings};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use web::InternalCaller;

/// Enough for anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery \u{e9}";

/// The number of the account [`TestApp::account`].
pub(crate) const PHONE: &str = "+237677123456";

/// Times that a test can wait for. What it does meanwhile may take longer than the first two: such a test moves the clock of
/// the service itself.
pub(crate) const FAST: [(&str, &str); 3] =
    [("sync.session_sleep_timeout", "1"), ("sync.session_paused_timeout", "3s"), ("sync.recheck", "500ms")];

/// A service under test and what surrounds it.
pub(crate) struct TestApp {
    pub(crate) host: TestHost,
    /// The one account that auth knows.
    pub(crate) account: AccountId,
    clock: SharedClock,
    auth: FakeAuth,
    key: Arc<str>,
}

/// What sync asks of auth beside keys and revocations. One account exists; it has [`PASSWORD`] and [`PHONE`]. After the
/// password `locked`, no more are looked at.
fn fake_auth(account: AccountId) -> FakeAuth {
    FakeAuth::answering(web::routes(move |config| {
        let password = move |_: InternalCaller, body: web::Json<SyncPassword>| async move {
            let right = body.account_id == account && body.password.expose() == PASSWORD;
            let retry_after = (body.password.expose() == "locked").then_some(7);
            HttpResponse::Ok().json(SyncVerdict { right, retry_after })
        };
        let phone = move |_: InternalCaller, body: web::Json<SyncPhone>| async move {
            let account_id = (body.phone.as_str() == PHONE).then_some(account);
            HttpResponse::Ok().json(SyncUser { account_id })
        };
        config.route("/internal/auth/v1/sync/password", actix_web::web::post().to(password));
        config.route("/internal/auth/v1/sync/phone", actix_web::web::post().to(phone));
    }))
}

impl TestApp {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_at(db, more, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_at(db: &TestDb, more: &[(&str, &str)], clock: SharedClock) -> Self {
        let account = AccountId::new();
        let key: String = OaepPrivateKey::generate_pem().unwrap().to_string();
        Self::start_beside(db, more, (clock, fake_auth(account)), (account, key.into())).await
    }

    /// Another process on the same database, with the same keys.
    pub(crate) async fn sibling(&self, db: &TestDb, more: &[(&str, &str)]) -> Self {
        let around = (self.clock.clone(), self.auth.sibling());
        Self::start_beside(db, more, around, (self.account, Arc::clone(&self.key))).await
    }

    async fn start_beside(
        db: &TestDb,
        more: &[(&str, &str)],
        (clock, auth): (SharedClock, FakeAuth),
        (account, key): (AccountId, Arc<str>),
    ) -> Self {
        let own = [
            ("internal.auth_url", &*auth.url),
            ("internal.relay_url", &*auth.url),
            ("sync.private_key", &*key),
            ("sync.data_key", DATA_KEY),
        ];
        let more = [&own, more].concat();
        let settings = HostSettings { more: &more, clock: Arc::clone(&clock), ..HostSettings::default() };
        let host = TestHost::start::<sync::App>(db, settings).await;
        Self { host, account, clock, auth, key }
    }

    /// The same in a process of its own, which can be killed.
    pub(crate) async fn program(&self, db: &TestDb, more: &[(&str, &str)]) -> Program {
        let own = [
            ("internal.auth_url", &*self.auth.url),
            ("internal.relay_url", &*self.auth.url),
            ("sync.private_key", &*self.key),
            ("sync.data_key", DATA_KEY),
            ("database.url", &*db.settings().url),
        ];
        let more = [&own, more].concat();
        let settings = ProgramSettings { name: "sealpost-sync", more: &more, ..ProgramSettings::default() };
        Program::start(settings).await.unwrap()
    }

    /// The public key of the server, in PEM.
    pub(crate) fn server_key(&self) -> String {
        OaepPrivateKey::from_pem(&self.key).unwrap().public().to_pem()
    }

    pub(crate) fn fingerprint(&self) -> String {
        OaepPrivateKey::from_pem(&self.key).unwrap().public().fingerprint()
    }

    /// The user, logged in.
    pub(crate) fn user(&self) -> TestClient {
        self.logged_in(self.account)
    }

    pub(crate) fn logged_in(&self, account: AccountId) -> TestClient {
        self.host.http.with_token(self.auth.token(account, None, self.clock.now()).0)
    }

    /// Starts a session of the account; gives the URL of its websocket.
    pub(crate) async fn begin(&self) -> String {
        let answer = self.user().get(&format!("/v2/sync/users/{}", self.account)).await.expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        answer.text()
    }

    pub(crate) async fn shared_keys(&self, phone: &str) -> Answer {
        self.host.internal.post("/internal/sync/v1/shared-keys", &json!({"phone": phone})).await
    }

    pub(crate) async fn nudge(&self, event: &Value) {
        self.host.internal.post("/internal/sync/v1/nudge", event).await.assert_status(204);
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        use diesel::prelude::*;

        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            rows: i64,
        }
        let db = self.host.database("sync");
        let counted = db.read(move |conn| {
            let count = diesel::sql_query(format!("SELECT count(*) AS rows FROM {table}"));
            let count: Count = match conn {
                db::DbConn::Pg(conn) => count.get_result(conn)?,
                db::DbConn::Sqlite(conn) => count.get_result(conn)?,
            };
            Ok::<_, db::DbError>(count.rows)
        });
        counted.await.unwrap()
    }
}

/// The last part of a path.
pub(crate) fn last(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

/// The id in the URL of a handshake.
pub(crate) fn shown(url: &str) -> String {
    url.rsplit('/').nth(1).unwrap().to_owned()
}

/// An app on a phone: its key pair, by OpenSSL's program.
pub(crate) struct Phone {
    folder: TempDir,
    pub(crate) public_key: String,
}

impl Phone {
    pub(crate) fn new() -> Self {
        Self::with(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
    }

    /// With a key of another kind.
    pub(crate) fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        let key = key.to_str().unwrap();
        openssl(&[&["genpkey", "-quiet", "-out", key], options].concat(), b"");
        let public_key = openssl(&["pkey", "-in", key, "-pubout"], b"");
        Self { folder, public_key: String::from_utf8(public_key).unwrap() }
    }

    /// Encrypts a password for the server, as documented.
    pub(crate) fn encrypt(&self, server_key: &str, password: &[u8], mask: &str) -> String {
        let key = self.file("server.pem", server_key.as_bytes());
        let key = key.to_str().unwrap();
        let encrypted = openssl(&pkeyutl(&["-encrypt", "-pubin", "-inkey", key], mask), password);
        String::from_utf8(openssl(&["base64"], &encrypted)).unwrap()
    }

    /// Decrypts a shared key.
    pub(crate) fn decrypt(&self, encrypted: &str, mask: &str) -> String {
        let key = self.folder.path().join("key.pem");
        let encrypted = openssl(&["base64", "-d", "-A"], encrypted.as_bytes());
        let plain = openssl(&pkeyutl(&["-decrypt", "-inkey", key.to_str().unwrap()], mask), &encrypted);
        String::from_utf8(plain).unwrap()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Gives the key by the URL that was shown. The body is as upstream's script makes it: raw line ends, no content
    /// type that says JSON.
    pub(crate) async fn handshake(&self, at: &TestClient, path: &str) -> Answer {
        let body = format!("{{\"public_key\": \"{}\"}}", self.public_key);
        let request = at.request(Method::POST, path);
        at.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Gives the key, and the password after it; the answer to that.
    pub(crate) async fn synchronize(&self, at: &TestClient, path: &str, password: &str) -> Answer {
        let answer = self.handshake(at, path).await.expect(200).value();
        self.verify(at, &answer, password).await
    }

    /// Gives the password after a handshake.
    pub(crate) async fn verify(&self, at: &TestClient, handshake: &Value, password: &str) -> Answer {
        let server_key = handshake["public_key"].as_str().unwrap();
        let encrypted = self.encrypt(server_key, password.as_bytes(), "sha1");
        at.post(handshake["verification_url"].as_str().unwrap(), &json!({"password": encrypted})).await
    }
}

fn pkeyutl<'a>(options: &[&'a str], mask: &'a str) -> Vec<&'a str> {
    let padding = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt"];
    let mask = if mask == "sha1" { "rsa_mgf1_md:sha1" } else { "rsa_mgf1_md:sha256" };
    [&["pkeyutl"], options, &padding, &[mask]].concat()
}

/// Runs OpenSSL's program.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("OpenSSL's program");
    running.stdin.take().unwrap().write_all(input).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The path of a URL on any host.
pub(crate) fn path(url: &str) -> &str {
    let after = url.split_once("://").unwrap().1;
    &after[after.find('/').unwrap()..]
}

/// The same URL at another process.
pub(crate) fn at(url: &str, base: &str) -> String {
    format!("{}{}", base.replacen("http", "ws", 1), path(url))
}

/// The subscriber's end of a websocket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    unread: Option<Seen>,
}

/// What a subscriber sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    /// Code and reason.
    Closed(u16, String),
    /// Without a close frame.
    Lost,
}

impl Socket {
    pub(crate) async fn open(url: &str) -> Self {
        Self::try_open(url).await.expect("an open websocket")
    }

    /// Connects; the status of a refusal.
    pub(crate) async fn try_open(url: &str) -> Result<Self, u16> {
        match tokio::time::timeout(DEADLINE, connect_async(url)).await.unwrap() {
            Ok((stream, _)) => Ok(Self { stream, unread: None }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, with something in front of what comes next.
    pub(crate) fn before(mut self, seen: Seen) -> Self {
        self.unread = Some(seen);
        self
    }

    pub(crate) async fn next(&mut self) -> Seen {
        if let Some(seen) = self.unread.take() {
            return seen;
        }
        loop {
            let message =
                tokio::time::timeout(DEADLINE, self.stream.next()).await.expect("something to read");
            match message {
                Some(Ok(Message::Text(text))) => return Seen::Text(text.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Seen::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Seen::Lost,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Whether nothing comes for longer than a subscription of [`FAST`] waits between two looks.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(700), self.next()).await.is_err()
    }

    /// The next frame, which must be text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Seen::Text(text) => text,
            other => panic!("instead of a frame: {other:?}"),
        }
    }

    /// Everything up to the end.
    pub(crate) async fn rest(mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let next = self.next().await;
            seen.push(next.clone());
            if !matches!(next, Seen::Text(_)) {
                return seen;
            }
        }
    }
}

/// What is seen once keys were exchanged and the password was right.
pub(crate) fn happy_end() -> Vec<Seen> {
    vec![Seen::Text("200- ack".to_owned()), Seen::Closed(1000, "synchronized".to_owned())]
}

/// What is seen when a session's time has passed.
pub(crate) fn over() -> Seen {
    Seen::Closed(1000, "the session is over".to_owned())
}

/// Whether a file or a log has any of these texts in it.
pub(crate) fn contains(path: &Path, texts: &[&str]) -> bool {
    let content = std::fs::read(path).unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    texts.iter().any(|text| content.contains(text))
}
