//! Starts and stops a server, and talks to it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    sync::{Arc, Once},
    time::Duration,
};

use common::{
    crypto::jws::{Claims, SigningKey, sign},
    models::{AccountId, Clock, DeviceId, SessionId, SystemClock},
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async, tungstenite::client::IntoClientRequest,
};
use tokio_util::sync::CancellationToken;
use web::{Gate, HttpSettings, InternalSettings, Server, ServerError, Service};

/// Enough for anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A running server.
pub(crate) struct Host {
    pub(crate) http: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    pub(crate) client: Client,
    key: SigningKey,
    stop: CancellationToken,
    running: JoinHandle<Result<(), ServerError>>,
}

/// Settings for tests: free ports, few threads, short drains.
pub(crate) fn settings() -> HttpSettings {
    HttpSettings {
        listen: any_port(),
        workers: NonZeroUsize::new(2),
        drain_timeout: Duration::from_secs(5),
        ..HttpSettings::default()
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

impl Host {
    pub(crate) fn start(services: impl IntoIterator<Item = Service>) -> Self {
        Self::start_with(&settings(), services)
    }

    pub(crate) fn start_with(http: &HttpSettings, services: impl IntoIterator<Item = Service>) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let key = SigningKey::generate().unwrap();
        let gate = Arc::new(Gate::new(Arc::new(SystemClock)));
        gate.set_keys([key.verifying_key().clone()]);
        let internal = InternalSettings {
            listen: any_port(),
            token: Some("between services".into()),
            admin_token: Some("for operators".into()),
        };
        let server = Server::bind(http, &internal).unwrap().gate(Arc::clone(&gate)).host(services);
        let (http, internal) = (server.http_addr(), server.internal_addr());
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run_until(stop.clone().cancelled_owned()));
        let client = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        Self { http, internal, gate, client, key, stop, running }
    }

    pub(crate) fn claims(&self, device: Option<i64>) -> Claims {
        let now = SystemClock.now().as_secs();
        let did = device.map(|id| DeviceId::new(id).unwrap());
        Claims { sub: AccountId::new(), sid: SessionId::new(), did, iat: now, exp: now + 900 }
    }

    pub(crate) fn token(&self, claims: &Claims) -> String {
        sign(&self.key, claims)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.http))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.http))
    }

    pub(crate) fn get_internal(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.internal))
    }

    pub(crate) async fn metrics(&self) -> String {
        self.get_internal("/metrics").send().await.unwrap().text().await.unwrap()
    }

    /// Waits until a line of the metrics is exactly `line`.
    pub(crate) async fn until_metric(&self, line: &str) {
        let seen = async {
            while !self.metrics().await.lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        };
        if timeout(DEADLINE, seen).await.is_err() {
            panic!("no {line} in\n{}", self.metrics().await);
        }
    }

    pub(crate) async fn connect(&self, path: &str, token: Option<&str>) -> WebSocket {
        let mut request = format!("ws://{}{path}", self.http).into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let (socket, _) = timeout(DEADLINE, connect_async(request)).await.unwrap().unwrap();
        socket
    }

    /// Asks the server to stop, without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) -> Result<(), ServerError> {
        timeout(DEADLINE, self.running).await.unwrap().unwrap()
    }

    pub(crate) async fn stop(self) {
        self.begin_stop();
        self.ended().await.unwrap();
    }
}

/// Reads a response as a problem, and checks what holds for every problem.
pub(crate) async fn problem(response: Response) -> Value {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (media_type, id) = (header("content-type"), header("x-request-id"));
    let text = response.text().await.unwrap();
    assert_eq!(media_type.as_deref(), Some("application/problem+json"), "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["instance"].as_str(), id.as_deref());
    assert!(problem["type"].as_str().unwrap().starts_with("urn:problem:"));
    problem
}
