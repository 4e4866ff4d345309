//! Processes of sync, devices that write to an address, and new devices that wait at one.

use std::sync::LazyLock;

use common::crypto::oaep::OaepPrivateKey;
use common::models::{AccountId, Clock as _, SystemClock};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use testkit::auth::FakeAuth;
use testkit::database::TestDb;
use testkit::host::{HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::DEADLINE;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

static PRIVATE_KEY: LazyLock<String> = LazyLock::new(|| OaepPrivateKey::generate_pem().unwrap().to_string());

const DATA_KEY: &str = "dGhlIGRhdGEga2V5IG9mIHN5bmMgaW4gYWxsIHRlc3Q";

/// What every process of a test is started with.
fn settings<'a>(auth: &'a FakeAuth, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = [
        ("internal.auth_url", &*auth.url),
        ("sync.private_key", PRIVATE_KEY.as_str()),
        ("sync.data_key", DATA_KEY),
    ];
    [&own, more].concat()
}

/// The fingerprint of the key of all processes.
pub(crate) fn fingerprint() -> String {
    OaepPrivateKey::from_pem(&PRIVATE_KEY).unwrap().public().fingerprint()
}

/// One process of sync.
pub(crate) struct Sync {
    pub(crate) host: TestHost,
    auth: FakeAuth,
}

impl Sync {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_beside(db, more, FakeAuth::start()).await
    }

    /// Another process on the same database, with the same keys.
    pub(crate) async fn sibling(&self, db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_beside(db, more, self.auth.sibling()).await
    }

    async fn start_beside(db: &TestDb, more: &[(&str, &str)], auth: FakeAuth) -> Self {
        let more = settings(&auth, more);
        let host =
            TestHost::start::<sync::App>(db, HostSettings { more: &more, ..HostSettings::default() }).await;
        Self { host, auth }
    }

    /// The same in a process of its own, which can be killed.
    pub(crate) async fn program(&self, db: &TestDb, more: &[(&str, &str)]) -> Program {
        let mut more = settings(&self.auth, more);
        more.push(("database.url", &db.settings().url));
        Program::start(ProgramSettings { name: "sealpost-sync", more: &more, ..ProgramSettings::default() })
            .await
            .unwrap()
    }

    /// A device that is logged in.
    pub(crate) fn device(&self) -> Device {
        let (token, _) = self.auth.token(AccountId::new(), Some(1), SystemClock.now());
        Device(self.host.http.with_token(token))
    }

    /// Somebody who is logged in, without a device.
    pub(crate) fn bare(&self) -> Device {
        let (token, _) = self.auth.token(AccountId::new(), None, SystemClock.now());
        Device(self.host.http.with_token(token))
    }

    pub(crate) async fn connect(&self) -> NewDevice {
        NewDevice::connect(&self.host.url).await.unwrap()
    }
}

/// Somebody who writes to an address.
pub(crate) struct Device(pub(crate) TestClient);

impl Device {
    pub(crate) async fn hand_over(&self, address: &str, body: &str) -> Answer {
        self.0.put(&format!("/v1/provisioning/{address}"), &json!({"body": body})).await
    }

    pub(crate) async fn scanned(&self, address: &str) -> Answer {
        self.0.put(&format!("/v1/provisioning/{address}/scanned"), &json!({})).await
    }
}

/// A new device that waits.
pub(crate) struct NewDevice {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The first frame.
    pub(crate) first: Value,
}

impl NewDevice {
    /// Connects to the server at `url`, or gives the status that refused it.
    pub(crate) async fn connect(url: &str) -> Result<Self, u16> {
        let url = format!("{}/v1/provisioning/websocket", url.replacen("http", "ws", 1));
        match timeout(DEADLINE, connect_async(url)).await.expect("an answer") {
            Ok((stream, _)) => {
                let mut new = Self { stream, first: Value::Null };
                new.first = new.frame().await;
                Ok(new)
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.first["address"].as_str().unwrap()
    }

    /// The next frame, which is not the end.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(text.as_str()).unwrap(),
            other => panic!("expected a frame, not {other:?}"),
        }
    }

    /// The close code, which is next.
    pub(crate) async fn closed(&mut self) -> u16 {
        match self.next().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("expected the end, not {other:?}"),
        }
    }

    pub(crate) async fn say(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    pub(crate) async fn leave(mut self) {
        self.stream.close(None).await.unwrap();
        while !matches!(timeout(DEADLINE, self.stream.next()).await.unwrap(), None | Some(Err(_))) {}
    }

    async fn next(&mut self) -> Message {
        loop {
            let next = timeout(DEADLINE, self.stream.next()).await.expect("a frame before the deadline");
            match next.expect("an open socket").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }
}
