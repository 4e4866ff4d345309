//! A running auth, and the few calls that most tests begin with.

use std::path::{Path, PathBuf};

use auth::App;
use common::crypto::jws::{self, Claims, JwkSet, SigningKey, VerifyingKey};
use common::models::Clock as _;
use serde_json::{Value, json};
use testkit::clock::{FakeClock, START};
use testkit::database::TestDb;
use testkit::host::{ADMIN_TOKEN, HostSettings, TestHost};
use testkit::http::{Answer, TestClient};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Auth, on a clock that tests move.
pub(crate) struct Auth {
    pub(crate) host: TestHost,
    pub(crate) clock: FakeClock,
}

impl Auth {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::run(db, &[], None).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::run(db, more, None).await
    }

    /// Keeps the bus in `data`, to be read after the service has stopped.
    pub(crate) async fn start_in(db: &TestDb, data: &Path) -> Self {
        Self::run(db, &[], Some(data.to_owned())).await
    }

    async fn run(db: &TestDb, more: &[(&str, &str)], data_dir: Option<PathBuf>) -> Self {
        let key = SigningKey::generate().unwrap().to_text();
        let clock = FakeClock::at(START);
        let mut settings = vec![("auth.signing_key", key.expose().as_str())];
        settings.extend_from_slice(more);
        let settings = HostSettings { more: &settings, clock: clock.shared(), data_dir };
        Self { host: TestHost::start::<App>(db, settings).await, clock }
    }

    pub(crate) async fn register(&self, username: &str) -> Answer {
        self.host.http.post("/v1/accounts", &json!({"username": username, "password": PASSWORD})).await
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.host.http.post("/v1/sessions", &json!({"username": username, "password": password})).await
    }

    /// Registers and logs in.
    pub(crate) async fn session(&self, username: &str) -> Session {
        self.register(username).await.assert_status(201);
        Session(self.log_in(username, PASSWORD).await.expect(201).value())
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.host.http.post("/v1/sessions/refresh", &json!({"refreshToken": token})).await
    }

    /// Logs in again.
    pub(crate) async fn again(&self, username: &str) -> Session {
        Session(self.log_in(username, PASSWORD).await.expect(201).value())
    }

    /// A client that carries the operators' credential.
    pub(crate) fn operator(&self) -> TestClient {
        self.host.internal.with_token(ADMIN_TOKEN)
    }

    /// A client that carries the session's access token.
    pub(crate) fn with(&self, session: &Session) -> TestClient {
        self.host.http.with_token(session.text("accessToken"))
    }

    /// Binds the session to a device, as keystore does.
    pub(crate) async fn bind(&self, session: &Session, device: u8) -> Answer {
        let path = format!("/internal/auth/v1/sessions/{}/device", session.text("sessionId"));
        let body = json!({"accountId": session.text("accountId"), "deviceId": device});
        self.host.internal.post(&path, &body).await
    }

    /// Verifies an access token with nothing but the public keys, as the other services do.
    pub(crate) async fn verify(&self, token: &str) -> Claims {
        let set: JwkSet = self.host.http.get("/.well-known/jwks.json").await.expect(200).json();
        let keys: Vec<VerifyingKey> = set.keys.iter().map(|jwk| jwk.try_into().unwrap()).collect();
        jws::verify(token, self.clock.now(), |kid| keys.iter().find(|key| key.kid() == kid).cloned()).unwrap()
    }
}

/// The answer to a login.
pub(crate) struct Session(pub(crate) Value);

impl Session {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.0))
    }
}
