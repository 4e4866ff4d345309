//! The verbs of this service, and their rules.

pub(crate) mod access;
pub(crate) mod clients;
mod error;
pub(crate) mod housekeeping;
pub(crate) mod intake;
mod message_id;
pub(crate) mod numbering;
pub(crate) mod outgoing;
pub(crate) mod pings;
pub(crate) mod platforms;
mod sealed;
mod sms_text;
pub(crate) mod twilio;
mod writer;

pub(crate) use error::RelayError;
pub(crate) use message_id::MessageId;
pub(crate) use sealed::{Payload, Seal};
pub(crate) use writer::Writer;
