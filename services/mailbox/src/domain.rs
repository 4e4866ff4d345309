//! The verbs of this service: open, close, send, fetch, ack, expire. No HTTP, no SQL text.

mod batch;
mod device_set;
mod error;
pub(crate) mod housekeeping;
mod ids;
pub(crate) mod lives;
pub(crate) mod receive;
mod send;

pub(crate) use batch::{Rules, Writer};
pub(crate) use error::MailboxError;
pub(crate) use ids::{EnvelopeKind, MailboxId};
pub(crate) use send::{Copy, Send, SendReceipt, send};
