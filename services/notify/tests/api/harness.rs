//! A notification service, back-ends that publish and clients at each door.

use std::sync::Arc;
use std::time::Duration;

use common::models::{AccountId, SessionId, SharedClock, SystemClock};
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::auth::FakeAuth;
use testkit::database::TestDb;
use testkit::host::{HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_until;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The API key of the back-end.
pub(crate) const KEY: &str = "the API key of a back-end in tests";

/// One that may use `orders/` and the channels of accounts alone.
pub(crate) const NARROW_KEY: &str = "the API key of a narrow back-end";

/// Enough for anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

const SETTINGS: [(&str, &str); 4] = [
    ("notify.auth_keys.backend", KEY),
    ("notify.auth_keys.narrow.key", NARROW_KEY),
    ("notify.auth_keys.narrow.channels", r#"["orders/", "account:"]"#),
    ("notify.token_key", "the key of tokens of channels in tests"),
];

/// A service under test and what surrounds it.
pub(crate) struct TestApp {
    pub(crate) host: TestHost,
    pub(crate) backend: Backend,
    clock: SharedClock,
    auth: FakeAuth,
}

impl TestApp {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_at(db, more, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_at(db: &TestDb, more: &[(&str, &str)], clock: SharedClock) -> Self {
        Self::start_beside(db, more, clock, FakeAuth::start()).await
    }

    /// Another process on the same database, with the same keys.
    pub(crate) async fn sibling(&self, db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_beside(db, more, self.clock.clone(), self.auth.sibling()).await
    }

    async fn start_beside(db: &TestDb, more: &[(&str, &str)], clock: SharedClock, auth: FakeAuth) -> Self {
        let more = [&SETTINGS[..], &[("internal.auth_url", &*auth.url)], more].concat();
        let settings = HostSettings { more: &more, clock: Arc::clone(&clock), ..HostSettings::default() };
        let host = TestHost::start::<notify::App>(db, settings).await;
        let backend = Backend::new(&host.url);
        Self { host, backend, clock, auth }
    }

    /// The same in a process of its own, which can be killed.
    pub(crate) async fn program(&self, db: &TestDb, more: &[(&str, &str)]) -> Program {
        let own = [("internal.auth_url", &*self.auth.url), ("database.url", &*db.settings().url)];
        let more = [&SETTINGS[..], &own, more].concat();
        let settings = ProgramSettings {
            name: "sealpost-notify",
            arguments: &["serve"],
            more: &more,
            ..ProgramSettings::default()
        };
        Program::start(settings).await.unwrap()
    }

    /// An access token, once the service can judge it.
    pub(crate) async fn access_token(&self, account: AccountId) -> (String, SessionId) {
        let (token, session) = self.auth.token(account, None, self.clock.now());
        let client = self.host.http.with_token(&*token);
        let stream = || client.request(Method::GET, "/v1/notify/sse").send();
        wait_until("the keys of auth", || async {
            stream().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        (token, session)
    }

    pub(crate) async fn connect(&self) -> Socket {
        Socket::connect(&self.host.url).await
    }

    /// A client in a channel, by a token of ChannelAPI.
    pub(crate) async fn member(&self, channel: &str) -> Socket {
        let token = self.backend.channel_token(channel).await;
        let mut socket = self.connect().await;
        socket.subscribe(&json!({"token": token})).await;
        socket
    }

    /// A series of the service; 0 when there is none.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> u64 {
        let metrics = self.host.internal.get("/metrics").await.expect(200).text();
        let series = format!("sealpost_notify_{name}{{{labels}}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
        value.map_or(0, |value| value.parse().unwrap())
    }

    async fn members(&self, channel: &str) -> Vec<Value> {
        let path = format!("/v1/notify/presence?channel={channel}");
        let answer = self.backend.client.get(&path).await.expect(200).value();
        answer["members"].as_array().unwrap().clone()
    }

    /// Waits until so many members are present.
    pub(crate) async fn wait_present(&self, channel: &str, count: usize) {
        wait_until("members", async || self.members(channel).await.len() == count).await;
    }

    /// Waits until a member is present by so many sockets.
    pub(crate) async fn wait_connections(&self, channel: &str, member: &str, count: i64) {
        let connections = async || {
            let members = self.members(channel).await;
            members.iter().find(|one| one["member"] == member).map(|one| one["connections"].as_i64())
        };
        wait_until("connections", async || connections().await == Some(Some(count))).await;
    }

    pub(crate) async fn nudge(&self, event: &Value) {
        self.host.internal.post("/internal/notify/v1/nudge", event).await.assert_status(204);
    }
}

/// A back-end with its API key.
#[derive(Clone)]
pub(crate) struct Backend {
    anybody: TestClient,
    pub(crate) client: TestClient,
    key: &'static str,
}

impl Backend {
    pub(crate) fn new(url: &str) -> Self {
        Self { anybody: TestClient::new(url), client: TestClient::new(url).with_token(KEY), key: KEY }
    }

    pub(crate) fn narrow(&self) -> Self {
        Self { client: self.client.with_token(NARROW_KEY), key: NARROW_KEY, ..self.clone() }
    }

    /// A call as ChannelAPI has it: the bare key, and any body.
    pub(crate) async fn channel_api(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.anybody.request(Method::POST, path).header("authorization", self.key);
        self.anybody.send(request.body(body.into())).await
    }

    /// The token of a channel.
    pub(crate) async fn channel_token(&self, channel: &str) -> String {
        let answer = self.channel_api(&format!("/channel/{channel}"), "").await.expect(200).value();
        assert_eq!(answer["success"], true);
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Publishes as ChannelAPI has it.
    pub(crate) async fn message(&self, channel: &str, message: &Value) {
        let body = json!({"message": message}).to_string();
        let answer = self.channel_api(&format!("/message/{channel}"), body).await.expect(200);
        assert_eq!(answer.value(), json!({"success": true}));
    }

    /// Publishes, and gives the offset.
    pub(crate) async fn publish(&self, channel: &str, data: &Value) -> i64 {
        let body = json!({"channel": channel, "data": data});
        self.client.post("/v1/notify/messages", &body).await.expect(200).value()["offset"].as_i64().unwrap()
    }

    /// Publishes under a key.
    pub(crate) async fn publish_keyed(&self, body: &Value, key: &str) -> Answer {
        let request = self.client.request(Method::POST, "/v1/notify/messages").json(body);
        self.client.send(request.header("idempotency-key", key)).await
    }

    /// A token for one device.
    pub(crate) async fn issue(&self, body: &Value) -> Value {
        self.client.post("/v1/notify/tokens", body).await.expect(201).value()
    }

    pub(crate) async fn history(&self, channel: &str, query: &str) -> Value {
        self.client.get(&format!("/v1/notify/history?channel={channel}{query}")).await.expect(200).value()
    }
}

/// The client's end of a plain websocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a client sees.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Frame(Value),
    Closed(u16, String),
    /// Without a close frame.
    Cut,
}

impl Socket {
    pub(crate) async fn connect(url: &str) -> Self {
        let url = url.replace("http://", "ws://") + "/v1/notify/ws";
        Self(tokio::time::timeout(DEADLINE, connect_async(url)).await.unwrap().expect("an open websocket").0)
    }

    /// Connects, if somebody is there.
    pub(crate) async fn try_connect(url: &str) -> Option<Self> {
        let url = url.replace("http://", "ws://") + "/v1/notify/ws";
        connect_async(url).await.ok().map(|(stream, _)| Self(stream))
    }

    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.0.next()).await.expect("something to read");
            match message {
                Some(Ok(Message::Text(text))) => return Seen::Frame(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.expect("a code");
                    return Seen::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Seen::Cut,
            }
        }
    }

    /// The next frame, which must be of a type.
    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        match self.next().await {
            Seen::Frame(frame) if frame["type"] == kind => frame,
            other => panic!("instead of {kind}: {other:?}"),
        }
    }

    /// The next notification: its offset and its data.
    pub(crate) async fn message(&mut self) -> (i64, Value) {
        let frame = self.frame("message").await;
        (frame["offset"].as_i64().unwrap_or(0), frame["data"].clone())
    }

    /// The offsets of the next notifications.
    pub(crate) async fn offsets(&mut self, count: usize) -> Vec<i64> {
        let mut offsets = Vec::with_capacity(count);
        while offsets.len() < count {
            offsets.push(self.message().await.0);
        }
        offsets
    }

    /// Asks to join; the answer follows, or the end.
    pub(crate) async fn ask(&mut self, request: &Value) {
        let mut frame = json!({"type": "subscribe", "id": 1});
        for (name, value) in request.as_object().unwrap() {
            frame[name] = value.clone();
        }
        // A connection that is lost is seen by whoever reads.
        let _ = self.0.send(Message::text(frame.to_string())).await;
    }

    /// Joins; the answer.
    pub(crate) async fn subscribe(&mut self, request: &Value) -> Value {
        self.ask(request).await;
        self.frame("subscribed").await
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Goes away without a word.
    pub(crate) fn cut(self) {
        drop(self);
    }

    /// Nothing comes that was not asked for: the answer to a frame is the next that comes.
    pub(crate) async fn hears_nothing(&mut self) {
        self.text(&json!({"type": "unsubscribe", "id": 77, "channel": "none of ours"}).to_string()).await;
        let frame = self.next().await;
        assert_eq!(frame, Seen::Frame(json!({"type": "unsubscribed", "id": 77, "channel": "none of ours"})));
    }

    /// How it ends; what comes before is passed over.
    pub(crate) async fn closed(mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Seen::Closed(code, reason) => return (code, reason),
                Seen::Frame(_) => {}
                Seen::Cut => panic!("cut without a close frame"),
            }
        }
    }
}

/// The client's end of an event stream.
pub(crate) struct Events {
    response: reqwest::Response,
    buffer: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// Opens a stream by a request that is made ready.
    pub(crate) async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                if let Some(event) = read_event(&block) {
                    return Some(event);
                }
                continue;
            }
            let chunk =
                tokio::time::timeout(DEADLINE, self.response.chunk()).await.expect("something to read");
            self.buffer.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    /// The next event, which must have a name.
    pub(crate) async fn event(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("an event");
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

fn read_event(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(ToOwned::to_owned)
    };
    let data = serde_json::from_str(&field("data")?).unwrap();
    Some(Event { id: field("id"), name: field("event")?, data })
}
