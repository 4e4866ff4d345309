//! What a service writes to speak Socket.IO.

use actix_web::HttpRequest;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Ack, Client};
use crate::codec::Json;
use crate::handled::Handled;
use crate::session::Reason;

/// An application: told of everything that clients do, session by session in order.
///
/// Callbacks run on the thread of the session and must not block; what takes time is answered as
/// [`Handled::Later`]. For each client: `connect`, and if it lets the client in `connected`, `event`s, `disconnected`.
pub trait Application: Send + Sync + 'static {
    /// Decides by the opening request whether a client may open a session at all.
    ///
    /// # Errors
    /// The text that the client gets, with code 4 and status 403.
    fn admit(&self, _request: &HttpRequest) -> Result<(), String> {
        Ok(())
    }

    /// A client asks to join a namespace, with the credentials that it gave. Nothing can be sent to it yet.
    ///
    /// The error is what the client gets as CONNECT_ERROR; [`Refusal::invalid_namespace`] for one that is not there.
    fn connect(&self, client: &Client, auth: Option<Json>) -> Handled<Result<(), Refusal>>;

    /// The client is in: from here on it can be sent to, after the reply to its CONNECT.
    fn connected(&self, _client: &Client) {}

    /// A client sent an event. The next packet of its session is read when this one is dealt with.
    fn event(&self, client: &Client, event: Event) -> Handled<()>;

    /// The client is out. Called once for each [`Application::connected`], after its last event was dealt with, and never
    /// from within a call of the application's own.
    fn disconnected(&self, _client: &Client, _reason: Reason) {}
}

/// An event that a client sent.
pub struct Event {
    /// The name.
    pub name: String,
    /// The arguments: an array. Where an attachment belongs it has a placeholder, `{"_placeholder":true,"num":0}`.
    pub args: Json,
    /// The attachments, in the order of their numbers.
    pub attachments: Vec<Bytes>,
    /// How to acknowledge it, if the client asks for that.
    pub ack: Option<Ack>,
}

impl Event {
    /// Reads the argument at `index`; `None` when there are fewer.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> serde_json::Result<Option<T>> {
        self.args.item(index)
    }
}

/// Tells the sizes only.
impl std::fmt::Debug for Event {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Event")
            .field("args", &self.args)
            .field("attachments", &self.attachments.len())
            .field("ack", &self.ack)
            .finish_non_exhaustive()
    }
}

/// Why a client may not join a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Json>,
}

impl Refusal {
    /// Makes a refusal; clients get `message` as the text of an error.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// There is no such namespace.
    pub fn invalid_namespace() -> Self {
        Self::new("Invalid namespace")
    }

    /// Adds what clients get as `data` of the error.
    #[must_use]
    pub fn with_data(mut self, data: Json) -> Self {
        self.data = Some(data);
        self
    }
}
