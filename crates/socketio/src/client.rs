//! A client in a namespace, as the application knows it.

mod answers;

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use web::ws::Frame;

use self::answers::Answers;
pub use self::answers::{Answer, Awaited};
use crate::codec::Json;
use crate::engine::{Class, Link, SendError};
use crate::packet::{Encoded, Packet};
use crate::server::Namespaces;
use crate::session::Reason;
use crate::sid::Sid;

/// A client that joined a namespace. Clones are the same client; any thread may hold and use them.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    id: Sid,
    namespace: Arc<str>,
    link: Arc<Link<Namespaces>>,
    /// Whether it is in: set after the reply to its CONNECT was queued, changed under the lock of the queue.
    joined: AtomicBool,
    data: OnceLock<Box<dyn Any + Send + Sync>>,
    /// Boxed: few applications ask their clients for answers.
    answers: Mutex<Option<Box<Answers>>>,
}

impl Client {
    pub(crate) fn new(id: Sid, namespace: Arc<str>, link: Arc<Link<Namespaces>>) -> Self {
        let (joined, data, answers) = Default::default();
        Self(Arc::new(Inner { id, namespace, link, joined, data, answers }))
    }

    /// Returns its id: another one with each connect, and not that of the session.
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Returns where it is, as the hosting server sees it.
    pub fn peer(&self) -> Option<IpAddr> {
        self.0.link.peer()
    }

    pub(crate) fn shared_namespace(&self) -> Arc<str> {
        Arc::clone(&self.0.namespace)
    }

    /// Tells whether it is in the namespace now.
    pub fn is_connected(&self) -> bool {
        self.0.joined.load(Relaxed) && self.0.link.ended().is_none()
    }

    /// Keeps something of the application's own with the client; false when something is there already.
    pub fn keep<T: Any + Send + Sync>(&self, data: T) -> bool {
        self.0.data.set(Box::new(data)).is_ok()
    }

    /// Returns what was kept, if it is a `T`.
    pub fn kept<T: Any>(&self) -> Option<&T> {
        self.0.data.get()?.downcast_ref()
    }

    /// Sends an event.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the client is not in. [`SendError::Full`] when too much waits for it already; its
    /// session ends then ([`Reason::SlowConsumer`]).
    pub fn emit(&self, event: &Packet) -> Result<(), SendError> {
        self.send(&event.frames(self.namespace(), None), Class::Kept)
    }

    /// Sends an event that was encoded for the client's namespace.
    ///
    /// # Errors
    /// As [`Client::emit`]; [`SendError::Closed`] also when the event is for another namespace.
    pub fn emit_encoded(&self, event: &Encoded) -> Result<(), SendError> {
        self.send_encoded(event, Class::Kept)
    }

    /// Sends an event that the client can do without: it is left out when too much waits already.
    ///
    /// # Errors
    /// As [`Client::emit_encoded`], but the session goes on.
    pub fn emit_volatile(&self, event: &Encoded) -> Result<(), SendError> {
        self.send_encoded(event, Class::Volatile)
    }

    /// Sends an event that the client is to acknowledge, and gives what it answers.
    ///
    /// # Errors
    /// As [`Client::emit`]; [`SendError::Full`] also when as many answers are awaited as messages may wait. The future
    /// gives [`SendError::Closed`] when the client is out before it answers.
    pub fn ask(&self, event: &Packet) -> Result<Awaited, SendError> {
        let max = self.0.link.engine().settings().queue_messages;
        let expected = self.answers().get_or_insert_default().expect(max);
        let (id, receiver) = expected.ok_or(SendError::Full)?;
        // Made before the packet is sent, so that an error takes the id back.
        let awaited = Awaited::new(self.clone(), id, receiver);
        self.send(&event.frames(self.namespace(), Some(id)), Class::Kept)?;
        Ok(awaited)
    }

    /// Sends the client out of the namespace: it gets what was sent before, then DISCONNECT. Its session goes on.
    pub fn disconnect(&self) {
        Namespaces::disconnect(&self.0.link, self);
    }

    /// Ends the client's session, with all its namespaces.
    pub fn close(&self, reason: Reason) {
        self.0.link.end(reason);
    }

    fn send_encoded(&self, event: &Encoded, class: Class) -> Result<(), SendError> {
        if event.namespace() != self.namespace() {
            return Err(SendError::Closed);
        }
        self.send(event.frames(), class)
    }

    pub(crate) fn send(&self, frames: &[Frame], class: Class) -> Result<(), SendError> {
        self.0.link.send(frames, class, || self.0.joined.load(Relaxed))
    }

    /// Queues the reply to CONNECT; from then on the client is in.
    pub(crate) fn enter(&self, reply: Frame) -> Result<(), SendError> {
        self.0.link.send(&[reply], Class::Kept, || {
            self.0.joined.store(true, Relaxed);
            true
        })
    }

    /// Queues DISCONNECT, after which nothing is sent. The error: it is out already.
    pub(crate) fn leave(&self, last: Frame) -> Result<(), SendError> {
        self.0.link.send(&[last], Class::Kept, || self.0.joined.swap(false, Relaxed))
    }

    /// Lets nothing more be sent, and no more answers be awaited; the client is out.
    pub(crate) fn left(&self) {
        self.0.joined.store(false, Relaxed);
        // Dropped after the lock: whoever waits is told by that.
        let owed = self.answers().take();
        drop(owed);
    }

    /// Passes an answer on. One that nobody waits for, or that came before, is left out.
    pub(crate) fn acknowledged(&self, id: u64, args: Json, attachments: Vec<Bytes>) {
        let awaited = self.answers().as_mut().and_then(|answers| answers.take(id));
        if let Some(awaited) = awaited {
            // Whoever waited may have given up just now.
            let _ = awaited.send(Answer { args, attachments });
        }
    }

    fn forget(&self, id: u64) {
        let forgotten = self.answers().as_mut().and_then(|answers| answers.take(id));
        drop(forgotten);
    }

    fn answers(&self) -> MutexGuard<'_, Option<Box<Answers>>> {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Client {}

impl std::hash::Hash for Client {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("id", &self.0.id)
            .field("namespace", &self.0.namespace)
            .finish()
    }
}

/// How to acknowledge one event. Used up by it: an event is acknowledged once.
pub struct Ack {
    client: Client,
    id: u64,
}

impl Ack {
    pub(crate) fn new(client: Client, id: u64) -> Self {
        Self { client, id }
    }

    /// Acknowledges the event with these arguments ([`Packet::answer`]; a name is not sent).
    ///
    /// # Errors
    /// As [`Client::emit`].
    pub fn send(self, answer: &Packet) -> Result<(), SendError> {
        self.client.send(&answer.as_answer(self.client.namespace(), self.id), Class::Kept)
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ack({})", self.id)
    }
}
