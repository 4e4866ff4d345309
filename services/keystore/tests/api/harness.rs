//! A running keystore between stand-ins, and the few calls that most tests begin with.

use std::path::PathBuf;
use std::sync::Arc;

use common::models::{AccountId, DeviceId, SessionId, SharedClock};
use keystore::App;
use serde_json::Value;
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::host::{HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::signal::{DeviceRegistration, Identity};

use crate::peers::Peers;

/// Keystore, on a clock that tests move.
pub(crate) struct Keystore {
    pub(crate) host: TestHost,
    pub(crate) peers: Arc<Peers>,
    pub(crate) clock: FakeClock,
}

impl Keystore {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::run(db, more, None).await
    }

    /// Keeps the bus in `data`, to be read after the service has stopped.
    pub(crate) async fn start_in(db: &TestDb, data: PathBuf) -> Self {
        Self::run(db, &[], Some(data)).await
    }

    async fn run(db: &TestDb, more: &[(&str, &str)], data_dir: Option<PathBuf>) -> Self {
        let clock = FakeClock::default();
        let peers = Arc::new(Peers::start(clock.shared()).await);
        let host = host(db, &peers, more, (clock.shared(), data_dir)).await;
        Self { host, peers, clock }
    }

    /// A second instance on the same database, between the same stand-ins.
    pub(crate) async fn another(&self, db: &TestDb) -> Self {
        let host = host(db, &self.peers, &[], (self.clock.shared(), None)).await;
        Self { host, peers: Arc::clone(&self.peers), clock: self.clock.clone() }
    }

    /// A login without a device.
    pub(crate) fn log_in(&self, account: AccountId) -> Login {
        let (session, token) = self.peers.log_in(account);
        Login { account, session, client: self.host.http.with_token(token) }
    }

    /// A device of a new account.
    pub(crate) async fn person(&self) -> Device {
        self.device(AccountId::new(), &Identity::new()).await
    }

    /// One more device of an account.
    pub(crate) async fn device(&self, account: AccountId, identity: &Identity) -> Device {
        self.device_with(account, identity, &DeviceRegistration::new(identity)).await
    }

    pub(crate) async fn device_with(
        &self,
        account: AccountId,
        identity: &Identity,
        registration: &DeviceRegistration,
    ) -> Device {
        let login = self.log_in(account);
        let answer = login.register(registration).await.expect(201);
        self.device_of(&login, identity, &answer)
    }

    /// The device that a registration has answered with.
    pub(crate) fn device_of(&self, login: &Login, identity: &Identity, answer: &Answer) -> Device {
        let body = answer.value();
        Device {
            id: DeviceId::new(body["deviceId"].as_i64().unwrap()).unwrap(),
            account: login.account,
            session: login.session,
            identity: identity.clone(),
            client: self.host.http.with_token(body["accessToken"].as_str().unwrap()),
        }
    }

    /// Fetches bundles as somebody else.
    pub(crate) async fn bundle(&self, account: AccountId, device: &str) -> Answer {
        let stranger = self.log_in(AccountId::new());
        stranger.client.get(&format!("/v1/keys/{account}/{device}")).await
    }

    /// What `GET /v1/devices` shows.
    pub(crate) async fn device_ids(&self, account: AccountId) -> Vec<i64> {
        let listed: Vec<Value> = self.log_in(account).client.get("/v1/devices").await.expect(200).json();
        listed.iter().map(|device| device["deviceId"].as_i64().unwrap()).collect()
    }
}

async fn host(
    db: &TestDb,
    peers: &Peers,
    more: &[(&str, &str)],
    (clock, data_dir): (SharedClock, Option<PathBuf>),
) -> TestHost {
    let mut settings = vec![
        ("internal.auth_url", peers.url.as_str()),
        ("internal.mailbox_url", peers.url.as_str()),
        ("keystore.sweep_interval", "50ms"),
    ];
    settings.extend_from_slice(more);
    TestHost::start::<App>(db, HostSettings { more: &settings, clock, data_dir }).await
}

/// A session without a device.
pub(crate) struct Login {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) client: TestClient,
}

impl Login {
    pub(crate) async fn register(&self, registration: &DeviceRegistration) -> Answer {
        self.client.post("/v1/devices", registration).await
    }
}

/// A device and its tokens.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) identity: Identity,
    pub(crate) client: TestClient,
}

impl Device {
    /// `[count, pqCount, lastResortServed]`.
    pub(crate) async fn counts(&self) -> [i64; 3] {
        let body = self.client.get("/v1/keys").await.expect(200).value();
        ["count", "pqCount", "lastResortServed"].map(|field| body[field].as_i64().unwrap())
    }
}
