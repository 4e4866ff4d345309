//! A client that speaks Engine.IO 4 and Socket.IO 5 by hand, so that every packet is seen as it is on the wire.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use testkit::http::TestClient;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::DEADLINE;

const PATH: &str = "/socket.io/?EIO=4";

/// A client on a websocket, in the namespace `/`.
pub(crate) struct SocketIo {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// That of the namespace.
    pub(crate) sid: String,
}

impl SocketIo {
    /// Connects, up to the reply to CONNECT.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::try_connect(url).await.expect("a connection")
    }

    /// Connects, unless the connection is lost before the reply.
    pub(crate) async fn try_connect(url: &str) -> Option<Self> {
        let url = format!("{}{PATH}&transport=websocket", url.replace("http://", "ws://"));
        let (stream, _) = connect_async(url).await.ok()?;
        let mut client = Self { stream, sid: String::new() };
        let handshake = client.try_text().await?;
        assert!(handshake.starts_with("0{"), "{handshake}");
        client.try_send("40").await?;
        let reply = client.try_text().await?;
        let reply: Value = serde_json::from_str(reply.strip_prefix("40").expect(&reply)).unwrap();
        client.sid = reply["sid"].as_str().unwrap().to_owned();
        Some(client)
    }

    /// Connects, up to the greeting.
    pub(crate) async fn connected(url: &str) -> Self {
        let mut client = Self::connect(url).await;
        assert_eq!(client.event().await[1]["count"], 0);
        client
    }

    /// Joins as documented.
    pub(crate) async fn join(&mut self, argument: &Value) {
        self.emit(None, &serde_json::json!(["join_channel", argument])).await;
        let event = self.event().await;
        assert!(event[1]["data"].as_str().unwrap().starts_with("Connected to "), "{event}");
    }

    /// Joins, if the connection lasts so long.
    pub(crate) async fn try_join(&mut self, argument: &Value) -> Option<()> {
        self.try_send(&format!("42{}", serde_json::json!(["join_channel", argument]))).await?;
        let answer = self.try_text().await?;
        answer.starts_with(r#"42["clientevent",{"data":"Connected to "#).then_some(())
    }

    pub(crate) async fn emit(&mut self, ack: Option<u64>, event: &Value) {
        let ack = ack.map(|ack| ack.to_string()).unwrap_or_default();
        self.send(&format!("42{ack}{event}")).await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.try_send(text).await.expect("an open connection");
    }

    /// Sends; none when the connection is lost.
    pub(crate) async fn try_send(&mut self, text: &str) -> Option<()> {
        self.stream.send(Message::text(text)).await.ok()
    }

    pub(crate) async fn send_binary(&mut self, data: Vec<u8>) {
        self.stream.send(Message::binary(data)).await.unwrap();
    }

    /// The next packet that is no ping.
    pub(crate) async fn text(&mut self) -> String {
        self.try_text().await.expect("a packet, and not the end")
    }

    /// The next packet that is no ping; none when the connection is lost.
    pub(crate) async fn try_text(&mut self) -> Option<String> {
        loop {
            match self.message().await? {
                Message::Text(text) if text.as_str() == "2" => self.try_send("3").await?,
                Message::Text(text) => return Some(text.as_str().to_owned()),
                Message::Close(_) => return None,
                other => panic!("instead of a packet: {other:?}"),
            }
        }
    }

    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.message().await {
            Some(Message::Binary(data)) => data.to_vec(),
            other => panic!("instead of binary data: {other:?}"),
        }
    }

    /// The next packet, which must be an event.
    pub(crate) async fn event(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(text.strip_prefix("42").expect(&text)).unwrap()
    }

    /// Nothing comes that was not asked for: the answer to an event is the next that comes.
    pub(crate) async fn hears_nothing(&mut self) {
        self.send(r#"4299["nothing in particular"]"#).await;
        assert_eq!(self.text().await, "4399[]");
    }

    /// Waits until the server ends the connection.
    pub(crate) async fn cut(mut self) {
        while let Some(message) = self.message().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    }

    async fn message(&mut self) -> Option<Message> {
        loop {
            match timeout(DEADLINE, self.stream.next()).await.expect("something to read") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// A client that polls.
pub(crate) struct Poller {
    http: TestClient,
    sid: String,
    /// What came by the last poll of an upgrade.
    pub(crate) seen: Vec<String>,
}

impl Poller {
    pub(crate) async fn open(http: &TestClient) -> Self {
        let answer = http.get(&format!("{PATH}&transport=polling")).await.expect(200).text();
        let handshake: Value = serde_json::from_str(answer.strip_prefix('0').expect(&answer)).unwrap();
        Self { http: http.clone(), sid: handshake["sid"].as_str().unwrap().to_owned(), seen: Vec::new() }
    }

    fn path(&self) -> String {
        format!("{PATH}&transport=polling&sid={}", self.sid)
    }

    pub(crate) async fn post(&self, body: &str) {
        let request = self.http.request(reqwest::Method::POST, &self.path()).body(body.to_owned());
        assert_eq!(self.http.send(request).await.expect(200).text(), "ok");
    }

    /// The packets of one poll.
    pub(crate) async fn poll(&self) -> Vec<String> {
        let answer = self.http.get(&self.path()).await.expect(200).text();
        answer.split('\x1e').map(ToOwned::to_owned).collect()
    }

    /// Goes over to a websocket; `meanwhile` happens between the probe and the end of it.
    pub(crate) async fn upgrade(&mut self, url: &str, meanwhile: impl AsyncFnOnce()) -> SocketIo {
        let url = format!("{}{PATH}&transport=websocket&sid={}", url.replace("http://", "ws://"), self.sid);
        let (stream, _) = connect_async(url).await.expect("an open websocket");
        let mut client = SocketIo { stream, sid: String::new() };
        client.send("2probe").await;
        assert_eq!(client.text().await, "3probe");
        meanwhile().await;
        // Some of it may come by a poll that is under way.
        let seen = self.poll().await;
        self.seen = seen.into_iter().filter(|packet| packet != "6").collect();
        client.send("5").await;
        client
    }
}
