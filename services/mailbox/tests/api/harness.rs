//! A mailbox service, the auth service that it asks for keys, and devices that send and fetch.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use common::crypto::jws::{SignalServerClaims, sign};
use common::models::internal::OpenMailbox;
use common::models::signal_server::{SignalServerFound, SignalServerName, SignalServerUser};
use common::models::{
    AccountId, Base64Bytes, Generation, RegistrationId, SessionId, SharedClock, SystemClock,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::auth::FakeAuth;
use testkit::database::TestDb;
use testkit::host::{HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::program::{Program, ProgramSettings};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use web::InternalCaller;

/// The registration id of every device that a test does not say otherwise about.
pub(crate) const REGISTRATION: i64 = 1000;

/// Enough for anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A service under test and what surrounds it.
pub(crate) struct TestApp {
    pub(crate) host: TestHost,
    clock: SharedClock,
    auth: FakeAuth,
}

/// What mailbox asks of auth beside keys and revocations. A user of signal_server is called by its account's id.
fn fake_auth() -> FakeAuth {
    FakeAuth::answering(web::routes(|config| {
        let users = |_: InternalCaller, name: web::Json<SignalServerName>| async move {
            let account = name.username.parse().ok();
            let user = account.map(|account_id| SignalServerUser { account_id, user_id: 1 });
            HttpResponse::Ok().json(SignalServerFound { user })
        };
        let path = "/internal/auth/v1/signal-server/accounts";
        config.route(path, actix_web::web::post().to(users));
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
        Self::start_beside(db, more, clock, fake_auth()).await
    }

    /// Another process on the same database, with the same keys.
    pub(crate) async fn sibling(&self, db: &TestDb, more: &[(&str, &str)]) -> Self {
        self.sibling_at(db, more, self.clock.clone()).await
    }

    /// The same, with a clock of its own.
    pub(crate) async fn sibling_at(&self, db: &TestDb, more: &[(&str, &str)], clock: SharedClock) -> Self {
        Self::start_beside(db, more, clock, self.auth.sibling()).await
    }

    async fn start_beside(db: &TestDb, more: &[(&str, &str)], clock: SharedClock, auth: FakeAuth) -> Self {
        let more = [&[("internal.auth_url", &*auth.url)], more].concat();
        let settings = HostSettings { more: &more, clock: Arc::clone(&clock), ..HostSettings::default() };
        let host = TestHost::start::<mailbox::App>(db, settings).await;
        Self { host, clock, auth }
    }

    /// The same in a process of its own, which can be killed.
    pub(crate) async fn program(&self, db: &TestDb, more: &[(&str, &str)]) -> Program {
        let own = [("internal.auth_url", &*self.auth.url), ("database.url", &*db.settings().url)];
        let more = [&own, more].concat();
        let settings =
            ProgramSettings { name: "sealpost-mailbox", more: &more, ..ProgramSettings::default() };
        Program::start(settings).await.unwrap()
    }

    pub(crate) fn token(&self, account: AccountId, device: Option<i64>) -> (String, SessionId) {
        self.auth.token(account, device, self.clock.now())
    }

    /// A token of signal_server.
    pub(crate) fn signal_server_token(&self, account: AccountId) -> String {
        let now = self.clock.now().as_secs();
        let claims = SignalServerClaims {
            user_id: 1,
            username: account.to_string(),
            email: String::new(),
            exp: now + 300,
            iat: now - 1,
            sub: account,
            sid: SessionId::new(),
        };
        sign(&self.auth.key, &claims)
    }

    /// A device of an account, without a mailbox.
    pub(crate) fn stranger(&self, account: AccountId, id: i64) -> Device {
        let (token, session) = self.token(account, Some(id));
        let client = self.host.http.with_token(&token);
        let url = self.host.url.replace("http://", "ws://") + "/v1/websocket";
        Device { account, id, session, generation: Generation::new(), client, token, url }
    }

    /// A device of an account, with its mailbox.
    pub(crate) async fn device_of(&self, account: AccountId, id: i64) -> Device {
        let device = self.stranger(account, id);
        self.open(&device, device.generation, REGISTRATION).await.assert_status(204);
        device
    }

    /// The one device of a new account.
    pub(crate) async fn device(&self) -> Device {
        self.device_of(AccountId::new(), 1).await
    }

    pub(crate) async fn open(&self, device: &Device, generation: Generation, registration: i64) -> Answer {
        let registration_id = RegistrationId::new(registration).unwrap();
        self.host.internal.put(&device.internal_path(), &OpenMailbox { generation, registration_id }).await
    }

    pub(crate) async fn close(&self, device: &Device, generation: Generation) -> Answer {
        self.host.internal.delete(&format!("{}?generation={generation}", device.internal_path())).await
    }

    pub(crate) async fn nudge(&self, event: &Value) {
        self.host.internal.post("/internal/mailbox/v1/nudge", event).await.assert_status(204);
    }

    pub(crate) async fn metrics(&self) -> String {
        self.host.internal.get("/metrics").await.expect(200).text()
    }
}

/// One device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) account: AccountId,
    pub(crate) id: i64,
    pub(crate) session: SessionId,
    pub(crate) generation: Generation,
    pub(crate) client: TestClient,
    pub(crate) token: String,
    url: String,
}

/// The copy for one device, as it is in a send.
pub(crate) fn copy(device: i64, registration: i64, content: &[u8]) -> Value {
    let content = Base64Bytes(content.to_vec());
    json!({"destinationDeviceId": device, "destinationRegistrationId": registration, "type": 1, "content": content})
}

pub(crate) fn message(copies: &[Value]) -> Value {
    json!({"messages": copies, "timestamp": 1_700_000_000_000_i64})
}

impl Device {
    pub(crate) fn path(&self) -> String {
        format!("/v1/messages/{}", self.account)
    }

    pub(crate) fn internal_path(&self) -> String {
        format!("/internal/mailbox/v1/mailboxes/{}/{}", self.account, self.id)
    }

    /// The same device, as a client of another process.
    pub(crate) fn at(&self, app: &TestApp) -> Self {
        self.at_url(&app.host.url)
    }

    /// The same device, as a client of whatever is there.
    pub(crate) fn at_url(&self, url: &str) -> Self {
        let client = TestClient::new(url).with_token(&self.token);
        Self { client, url: url.replace("http://", "ws://") + "/v1/websocket", ..self.clone() }
    }

    /// Sends a text to the one device of `to`.
    pub(crate) async fn send(&self, to: &Device, text: &str) -> Answer {
        let body = message(&[copy(to.id, REGISTRATION, text.as_bytes())]);
        self.client.put(&to.path(), &body).await
    }

    pub(crate) async fn send_keyed(&self, to: &Device, body: &Value, key: &str) -> Answer {
        let request = self.client.request(reqwest::Method::PUT, &to.path());
        self.client.send(request.header("Idempotency-Key", key).json(body)).await
    }

    pub(crate) async fn fetch(&self, query: &str) -> Value {
        self.client.get(&format!("/v1/messages?{query}")).await.expect(200).value()
    }

    /// Everything in the mailbox, as (seq, text).
    pub(crate) async fn fetch_all(&self) -> Vec<(i64, String)> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.fetch(&format!("afterSeq={after}")).await;
            all.extend(page["messages"].as_array().unwrap().iter().map(seq_and_text));
            after = all.last().map_or(after, |(seq, _)| *seq);
            if page["more"] == false {
                return all;
            }
        }
    }

    pub(crate) async fn ack(&self, body: &Value) -> Answer {
        self.client.post("/v1/messages/ack", body).await
    }

    pub(crate) async fn connect(&self) -> Socket {
        let mut request = self.url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        handshake(request).await.expect("an open websocket")
    }

    /// Asks for a ticket.
    pub(crate) async fn ticket(&self) -> String {
        let answer = self.client.post("/v1/websocket/ticket", &json!({})).await.expect(201);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.value()["ticket"].as_str().unwrap().to_owned()
    }

    /// Connects without a token; the status of a refusal.
    pub(crate) async fn connect_with_ticket(&self, ticket: &str) -> Result<Socket, u16> {
        handshake(format!("{}?ticket={ticket}", self.url).into_client_request().unwrap()).await
    }
}

async fn handshake(mut request: Request) -> Result<Socket, u16> {
    request.headers_mut().insert("sec-websocket-protocol", "json.v1".parse().unwrap());
    match tokio::time::timeout(DEADLINE, connect_async(request)).await.unwrap() {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "json.v1");
            Ok(Socket(socket))
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn seq_and_text(envelope: &Value) -> (i64, String) {
    let content: Base64Bytes = serde_json::from_value(envelope["content"].clone()).unwrap();
    (envelope["seq"].as_i64().unwrap(), String::from_utf8(content.into_vec()).unwrap())
}

/// The client's end of a websocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a client sees.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Frame(Value),
    Closed(u16),
}

impl Socket {
    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.0.next()).await.expect("something to read");
            match message.expect("a close frame first").unwrap() {
                Message::Text(text) => return Seen::Frame(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Seen::Closed(frame.unwrap().code.into()),
                _ => {}
            }
        }
    }

    /// The next request of the server, which must be for `path`: its number and its body.
    pub(crate) async fn request(&mut self, path: &str) -> (u64, Value) {
        match self.next().await {
            Seen::Frame(frame) if frame["path"] == path => {
                assert_eq!((&frame["type"], &frame["verb"]), (&json!("request"), &json!("PUT")));
                (frame["id"].as_u64().unwrap(), frame["body"].clone())
            }
            other => panic!("instead of {path}: {other:?}"),
        }
    }

    /// The next envelope: number of the request, seq, text.
    pub(crate) async fn envelope(&mut self) -> (u64, i64, String) {
        let (id, body) = self.request("/v1/message").await;
        let (seq, text) = seq_and_text(&body);
        (id, seq, text)
    }

    pub(crate) async fn queue_empty(&mut self) -> i64 {
        self.request("/v1/queue/empty").await.1["lastSeq"].as_i64().unwrap()
    }

    pub(crate) async fn answer(&mut self, id: u64, status: u16) {
        self.text(&json!({"type": "response", "id": id, "status": status}).to_string()).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.message(Message::text(text)).await;
    }

    pub(crate) async fn message(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn closed(mut self) -> u16 {
        loop {
            if let Seen::Closed(code) = self.next().await {
                return code;
            }
        }
    }
}
