//! The verbs of this service: publish, make and revoke tokens, join, look back, expire. No HTTP, no SQL text.

mod channel_name;
mod error;
pub(crate) mod history;
pub(crate) mod housekeeping;
mod notification;
mod pass;
mod privacy;
pub(crate) mod publish;
mod registrar;
pub(crate) mod tokens;
mod writer;

pub(crate) use channel_name::{BadName, ChannelName};
pub(crate) use error::NotifyError;
pub(crate) use notification::{Notification, Publication, read_object};
pub(crate) use pass::Pass;
pub(crate) use registrar::Registrar;
pub(crate) use writer::{Key, Writer};
