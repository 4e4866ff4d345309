//! What the protocols' public test suites talk to (`docs/engine.io-protocol/v4-test-suite` and
//! `docs/socket.io-protocol/v5-test-suite` of the repository `socketio/socket.io`).
//!
//! Engine.IO at `/engine.io/` echoes every message. Socket.IO at `/socket.io/` has the namespaces `/` and `/custom`, emits
//! `auth` with the credentials after a connect, answers `message` with `message-back`, and acknowledges
//! `message-with-ack`, each with the arguments that came.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use web::ws::Frame;

use crate::application::{Application, Event, Refusal};
use crate::client::Client;
use crate::codec::Json;
use crate::engine::{Class, Engine, Link, Message, Protocol};
use crate::handled::Handled;
use crate::packet::Packet;
use crate::server::Server;
use crate::session::Reason;
use crate::settings::{CorsSettings, Settings};

/// `auth` is sent this long after the reply to CONNECT. The suite waits for one message, then for the next, and misses a
/// second one that comes with the first.
const AUTH_AFTER: Duration = Duration::from_millis(20);

/// The settings that the suites expect.
pub fn settings() -> Settings {
    Settings {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(1),
        max_payload: 1_000_000,
        cors: CorsSettings { origins: vec!["*".to_owned()], credentials: false },
        ..Settings::default()
    }
}

/// Both servers.
#[derive(Clone, Debug)]
pub struct Conformance {
    engine: Arc<Engine<Echo>>,
    socket: Server,
}

impl Default for Conformance {
    /// With the [`settings`] that the suites expect.
    fn default() -> Self {
        Self::new(&settings())
    }
}

impl Conformance {
    /// Makes both servers.
    pub fn new(settings: &Settings) -> Self {
        let socket = Server::new(settings.clone(), Arc::new(Back));
        Self { engine: Engine::new(settings.clone(), Echo), socket }
    }

    /// Answers at `/engine.io/` and `/socket.io/`.
    pub fn mount<'c>(&self, config: &'c mut ServiceConfig) -> &'c mut ServiceConfig {
        self.socket.mount("/socket.io/", self.engine.mount("/engine.io/", config))
    }
}

/// Sends every message back.
struct Echo;

impl Protocol for Echo {
    type Session = ();

    fn session(&self) {}

    fn message(&self, link: &Arc<Link<Self>>, message: Message<'_>) -> Handled<Result<(), Reason>> {
        let frame = match message {
            Message::Text(text) => Frame::text(&format!("4{text}")),
            Message::Binary(data) => Frame::binary(&data),
        };
        // Whoever is gone needs no echo.
        let _ = link.send(&[frame], Class::Kept, || true);
        Ok(()).into()
    }
}

struct Credentials(Option<Json>);

struct Back;

impl Application for Back {
    fn connect(&self, client: &Client, auth: Option<Json>) -> Handled<Result<(), Refusal>> {
        if !matches!(client.namespace(), "/" | "/custom") {
            return Err(Refusal::invalid_namespace()).into();
        }
        client.keep(Credentials(auth));
        Ok(()).into()
    }

    fn connected(&self, client: &Client) {
        let client = client.clone();
        actix_rt::spawn(async move {
            tokio::time::sleep(AUTH_AFTER).await;
            let auth = client.kept::<Credentials>().and_then(|credentials| credentials.0.clone());
            let auth = auth.map_or_else(
                || Packet::event("auth").arg(&serde_json::json!({})),
                |auth| Ok(Packet::event("auth").json(&auth)),
            );
            if let Ok(auth) = auth {
                let _ = client.emit(&auth);
            }
        });
    }

    fn event(&self, client: &Client, event: Event) -> Handled<()> {
        let sent = match (&*event.name, event.ack) {
            ("message", _) => {
                client.emit(&back(Packet::event("message-back"), &event.args, event.attachments))
            }
            ("message-with-ack", Some(ack)) => {
                ack.send(&back(Packet::answer(), &event.args, event.attachments))
            }
            _ => Ok(()),
        };
        // Whoever is gone needs no answer.
        let _ = sent;
        ().into()
    }
}

fn back(packet: Packet, args: &Json, attachments: Vec<bytes::Bytes>) -> Packet {
    let mut packet = packet.args(args);
    for attachment in attachments {
        packet.attach(attachment);
    }
    packet
}
