//! Starts a server with an application that records what it is told, and talks to it in raw packets.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Once;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use web::{HttpSettings, InternalSettings, RoutesFn, ServerError, Service};

/// Enough for anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    path: &'static str,
    stop: CancellationToken,
    running: JoinHandle<Result<(), ServerError>>,
}

impl Host {
    /// Serves `routes`; sessions are asked for at `path`.
    pub(crate) fn start(path: &'static str, routes: RoutesFn) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let http = HttpSettings {
            listen: any_port,
            workers: NonZeroUsize::new(2),
            drain_timeout: Duration::from_secs(5),
            ..HttpSettings::default()
        };
        let internal = InternalSettings { listen: any_port, ..InternalSettings::default() };
        let mut service = Service::new("toy");
        service.routes = routes;
        let server = web::Server::bind(&http, &internal).unwrap().host([service]);
        let address = server.http_addr();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run_until(stop.clone().cancelled_owned()));
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        Self { address, http, path, stop, running }
    }

    pub(crate) fn url(&self, query: &str) -> String {
        format!("http://{}{}?{query}", self.address, self.path)
    }

    /// Sends a GET.
    pub(crate) async fn get(&self, query: &str) -> Answer {
        Answer::of(self.http.get(self.url(query))).await
    }

    /// Sends a POST.
    pub(crate) async fn post(&self, query: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.http.post(self.url(query)).body(body)).await
    }

    /// Opens a session that polls.
    pub(crate) async fn poll(&self) -> Polling<'_> {
        let answer = self.get("EIO=4&transport=polling").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let handshake: Value = serde_json::from_str(answer.text.strip_prefix('0').unwrap()).unwrap();
        Polling { host: self, sid: handshake["sid"].as_str().unwrap().to_owned() }
    }

    /// Opens a session that polls, and joins `/`.
    pub(crate) async fn poll_in(&self) -> Polling<'_> {
        let session = self.poll().await;
        session.send("40").await;
        assert!(session.receive().await.starts_with("40{"));
        session
    }

    /// Opens a websocket.
    pub(crate) async fn socket(&self, query: &str) -> Socket {
        self.try_socket(query).await.unwrap()
    }

    /// Opens a websocket, where a refusal is expected; the status and the body of that.
    pub(crate) async fn try_socket(&self, query: &str) -> Result<Socket, (u16, String)> {
        let url = format!("ws://{}{}?{query}", self.address, self.path);
        match timeout(DEADLINE, connect_async(url)).await.unwrap() {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err((answer.status().as_u16(), body.into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a session on a websocket; the handshake is read.
    pub(crate) async fn open(&self) -> Socket {
        let mut socket = self.socket("EIO=4&transport=websocket").await;
        assert!(socket.text().await.starts_with("0{"));
        socket
    }

    /// Opens a session on a websocket, and joins `/`.
    pub(crate) async fn join(&self) -> Socket {
        let mut socket = self.open().await;
        socket.send("40").await;
        assert!(socket.text().await.starts_with("40{"));
        socket
    }

    /// Asks the server to stop, without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server.
    pub(crate) async fn stop(self) {
        self.begin_stop();
        timeout(DEADLINE, self.running).await.unwrap().unwrap().unwrap();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that it is the error with this code.
    pub(crate) fn assert_refused(&self, code: u64) {
        let status = if code == 4 { 403 } else { 400 };
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(body["code"], code, "{body}");
        assert!(body["message"].is_string() && body.as_object().unwrap().len() == 2, "{body}");
    }
}

/// A session that polls.
pub(crate) struct Polling<'a> {
    pub(crate) host: &'a Host,
    pub(crate) sid: String,
}

impl Polling<'_> {
    pub(crate) fn query(&self) -> String {
        format!("EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Polls once.
    pub(crate) async fn get(&self) -> Answer {
        self.host.get(&self.query()).await
    }

    /// Posts a payload.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.host.post(&self.query(), body).await
    }

    /// Polls once, and gives the payload.
    pub(crate) async fn receive(&self) -> String {
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    /// Posts a payload that is taken.
    pub(crate) async fn send(&self, body: &str) {
        let answer = self.post(body.to_owned()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
    }

    /// Moves the session to a websocket.
    pub(crate) async fn upgrade(&self) -> Socket {
        let mut socket = self.host.socket(&format!("EIO=4&transport=websocket&sid={}", self.sid)).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        socket
    }
}

/// A websocket.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, data: &[u8]) {
        self.0.send(Message::binary(data.to_vec())).await.unwrap();
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            match timeout(DEADLINE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Waits for a text frame; `None` for anything else.
    pub(crate) async fn next_text(&mut self) -> Option<String> {
        match self.next().await {
            Some(Message::Text(text)) => Some(text.as_str().to_owned()),
            _ => None,
        }
    }

    /// Waits for a text frame.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Message::Text(text)) => text.as_str().to_owned(),
            other => panic!("expected a text, not {other:?}"),
        }
    }

    /// Waits for a binary frame.
    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Message::Binary(data)) => data.to_vec(),
            other => panic!("expected binary, not {other:?}"),
        }
    }

    /// Reads on to the end; the close code, and what came before it.
    pub(crate) async fn closed(&mut self) -> (Option<u16>, Vec<String>) {
        let mut texts = Vec::new();
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return (frame.map(|frame| frame.code.into()), texts),
                Some(Message::Text(text)) => texts.push(text.as_str().to_owned()),
                Some(_) => {}
                None => return (None, texts),
            }
        }
    }

    /// Reads on to the end, and checks the close code.
    pub(crate) async fn assert_closed(&mut self, code: u16) {
        assert_eq!(self.closed().await.0, Some(code));
    }
}
