//! Live fan-out: hints to whoever is connected right now. Nothing here is durable; the tables are.
//!
//! In: [`LiveEvent`]s by key (a mailbox, a channel), and broadcasts to everybody (revocations). Out: bounded
//! [`LiveSubscription`]s, each of one exact key. What must hold: publishing never blocks; a subscriber either
//! receives an event or is told that it missed some, and then reads its state anew. Keys are hashed to 256
//! shards, which is what a transport between pods subscribes to.

#[cfg(feature = "amqp")]
mod amqp;
mod hub;

use std::sync::Arc;

use bytes::Bytes;
use telemetry::{RequestContext, TraceContext};

pub use hub::{Hub, LiveNotice, LiveSubscription};

/// How many events a subscription holds before it is told that it lagged.
const DEFAULT_CAPACITY: usize = 256;

/// An event for the subscribers of one key, or for all.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// What it is about, and whose subscribers receive it; no secret, since it is the routing key.
    pub shard_key: Bytes,
    /// What happened, in the publisher's words; readers ignore kinds they do not know.
    pub kind: String,
    /// More about it, opaque to the fan-out.
    pub payload: Bytes,
    /// The request that caused it, if one did.
    pub trace: Option<TraceContext>,
}

impl LiveEvent {
    /// Makes an event, caused by the request that is served now, if one is.
    pub fn new(key: impl Into<Bytes>, kind: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let trace = RequestContext::current().map(|context| context.trace);
        Self { shard_key: key.into(), kind: kind.into(), payload: payload.into(), trace }
    }
}

impl std::fmt::Debug for LiveEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveEvent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Whom an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The subscribers of its key, which are found in this shard.
    Shard(u8),
    /// Every subscriber of broadcasts.
    All,
}

/// Computes the shard of a key; the same in every process.
pub fn shard_of(key: &[u8]) -> u8 {
    (crate::partitioner::murmur2(key) & 0xff) as u8
}

/// Carries events to the other pods and brings theirs.
///
/// An implementation holds the [`Hub`] and calls [`Hub::deliver`] for what arrives, not for echoes of what it
/// sent itself. Whenever it may have missed something (a shard has just been bound, a connection was lost and is
/// back) it calls [`Hub::lagged`], so that subscribers read their state anew.
pub trait LiveTransport: Send + Sync {
    /// Sends to the other pods, at once or not at all: it neither blocks nor fails.
    fn publish(&self, route: Route, event: &LiveEvent);

    /// Notes whether this pod has subscribers in `shard`. Does not block.
    fn set_interest(&self, shard: u8, wanted: bool);

    /// Tells whether events reach the other pods at present.
    fn is_connected(&self) -> bool;

    /// Notes that somebody listens to broadcasts; a transport may wait for its first use before it connects. Does not
    /// block.
    fn begin(&self);
}

/// The live fan-out. Clones are handles on the same one.
#[derive(Clone)]
pub struct Live {
    hub: Arc<Hub>,
    transport: Option<Arc<dyn LiveTransport>>,
}

impl Live {
    /// Makes a fan-out within this process.
    pub fn in_process() -> Self {
        Self { hub: Hub::new(), transport: None }
    }

    /// Makes a fan-out over `transport`, which was made with `hub`.
    pub fn over(hub: Arc<Hub>, transport: Arc<dyn LiveTransport>) -> Self {
        hub.attach(&transport);
        Self { hub, transport: Some(transport) }
    }

    /// Publishes to the subscribers of the event's key, in this process and, over a transport, in all others.
    /// Never blocks; a subscriber that is behind is told so.
    pub fn publish(&self, event: LiveEvent) {
        self.send(Route::Shard(shard_of(&event.shard_key)), event);
    }

    /// Publishes to the subscribers of the event's key in the other processes alone, for whoever tells those of this one
    /// by a shorter way. Without other processes the event is not even made. Never blocks.
    pub fn publish_elsewhere(&self, event: impl FnOnce() -> LiveEvent) {
        if let Some(transport) = &self.transport {
            let event = event();
            transport.publish(Route::Shard(shard_of(&event.shard_key)), &event);
        }
    }

    /// Publishes to everybody who called [`Live::subscribe_all`]. Never blocks.
    pub fn broadcast(&self, event: LiveEvent) {
        self.send(Route::All, event);
    }

    /// Subscribes to the events of one key from now on.
    pub fn subscribe(&self, key: &[u8]) -> LiveSubscription {
        self.hub.subscribe(key, DEFAULT_CAPACITY)
    }

    /// Subscribes to broadcasts from now on.
    pub fn subscribe_all(&self) -> LiveSubscription {
        if let Some(transport) = &self.transport {
            transport.begin();
        }
        self.hub.subscribe_all(DEFAULT_CAPACITY)
    }

    /// Tells whether events reach the other pods at present; always true within one process.
    pub fn is_connected(&self) -> bool {
        self.transport.as_ref().is_none_or(|transport| transport.is_connected())
    }

    fn send(&self, route: Route, event: LiveEvent) {
        if let Some(transport) = &self.transport {
            transport.publish(route, &event);
        }
        self.hub.deliver(route, event);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("between_pods", &self.transport.is_some()).finish_non_exhaustive()
    }
}
