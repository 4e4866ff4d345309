//! The verbs of this service: open, close, connect, send, pass on, fetch, ack, expire. No HTTP, no SQL text.

mod batch;
pub(crate) mod blocks;
mod device_set;
mod error;
pub(crate) mod housekeeping;
mod ids;
pub(crate) mod lives;
pub(crate) mod online;
mod presence;
mod privacy;
pub(crate) mod processes;
pub(crate) mod queues;
pub(crate) mod receive;
mod send;
pub(crate) mod signal_server;
pub(crate) mod tickets;
pub(crate) mod woosh;

pub(crate) use batch::{Rules, Writer};
pub(crate) use error::MailboxError;
pub(crate) use ids::{EnvelopeKind, LiveKey, MailboxId};
pub(crate) use presence::{Presence, Snapshot};
pub(crate) use send::{Copy, Fate, Send, SendReceipt, send};
