//! Engine.IO on actix: sessions that poll, sessions on websockets, and the way from one to the other.
//!
//! In: requests of one path. Out: messages for a [`Protocol`], in order, one at a time. A session is one [`Link`], shared
//! by its requests and by whoever sends; one task drives it (times it, ends it, and on a websocket reads and writes).
//! What must hold: all of `spec` "Engine.IO protocol", revision 4; nothing waits without a bound; the protocol hears of
//! an end once, after its last message.

mod cors;
mod drive;
mod link;
mod polling;
mod request;
mod table;
mod websocket;

use std::sync::Arc;
use std::time::Instant;

use actix_web::web::{Payload, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use self::cors::Cors;
pub use self::link::{Class, Link, SendError};
pub use self::request::Refused;
use self::table::Table;
use crate::handled::Handled;
use crate::session::Reason;
use crate::settings::Settings;
use crate::stats::{Counters, Stats};

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Binary.
    Binary(Bytes),
}

/// What is spoken over Engine.IO.
pub trait Protocol: Send + Sync + Sized + 'static {
    /// What it keeps of a session.
    type Session: Send + Sync + 'static;

    /// Makes what it keeps of a session.
    fn session(&self) -> Self::Session;

    /// Decides whether a client may open a session: called with the opening request.
    ///
    /// # Errors
    /// The text that the client gets with code 4 and status 403.
    fn admit(&self, _request: &HttpRequest) -> Result<(), String> {
        Ok(())
    }

    /// A session was opened.
    fn opened(&self, _link: &Arc<Link<Self>>) {}

    /// A message came. The next one comes when this one is dealt with.
    ///
    /// The error ends the session.
    fn message(&self, link: &Arc<Link<Self>>, message: Message<'_>) -> Handled<Result<(), Reason>>;

    /// When the session ends unless something happens before. Not asked again after `None`.
    fn deadline(&self, _link: &Link<Self>) -> Option<(Instant, Reason)> {
        None
    }

    /// Called by the session's task, between messages, after [`Link::attend`].
    fn attend(&self, _link: &Link<Self>) {}

    /// The session has ended. Called once, after the last message was dealt with.
    fn ended(&self, _link: &Link<Self>, _reason: Reason) {}
}

/// An Engine.IO server.
pub struct Engine<P: Protocol> {
    protocol: P,
    settings: Settings,
    cors: Cors,
    table: Table<P>,
    counters: Counters,
}

impl<P: Protocol> Engine<P> {
    /// Makes a server.
    pub fn new(settings: Settings, protocol: P) -> Arc<Self> {
        let cors = Cors::new(&settings.cors);
        Arc::new(Self { protocol, settings, cors, table: Table::default(), counters: Counters::default() })
    }

    /// Answers at `path`, which ends with a slash, in an application that `web::Server` hosts.
    pub fn mount<'c>(self: &Arc<Self>, path: &str, config: &'c mut ServiceConfig) -> &'c mut ServiceConfig {
        let engine = Arc::clone(self);
        config.service(resource(path).to(move |request: HttpRequest, body: Payload| {
            let engine = Arc::clone(&engine);
            async move { engine.answer(request, body).await }
        }))
    }

    /// Returns what is spoken over it.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns what was counted so far.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    async fn answer(self: Arc<Self>, request: HttpRequest, body: Payload) -> HttpResponse {
        let origin = match self.cors.judge(&request) {
            Ok(origin) => origin,
            Err(refused) => return refused.respond(),
        };
        let mut answer = match self.cors.preflight(&request) {
            Some(answer) => answer,
            None => request::serve(&self, &request, body).await.unwrap_or_else(|refused| refused.respond()),
        };
        self.cors.dress(origin, &mut answer);
        answer
    }
}

impl<P: Protocol> std::fmt::Debug for Engine<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
