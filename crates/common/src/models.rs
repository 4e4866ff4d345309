//! Data that travels: ids, times, bytes, numbers, problems, events, frames and SMS records.
//!
//! Every type checks itself where text or JSON becomes it, and is never looser afterwards.

#[macro_use]
mod sql;

pub mod bytes;
pub mod devices;
pub mod events;
pub mod gateway;
pub mod ids;
pub mod internal;
pub mod notify;
pub mod operators;
pub mod phone;
pub mod privacy;
pub mod problem;
pub mod signal_server;
pub mod sms;
pub mod sync;
pub mod time;
pub mod woosh;
pub mod ws;

pub use bytes::Base64Bytes;
pub use devices::{DeviceId, KeyId, OutOfRange, RegistrationId, SignalServerId};
pub use ids::{
    AccountId, ChannelTokenId, EnvelopeId, Epoch, GatewayClientId, Generation, InvalidId, InviteId, MailId,
    NotificationId, SessionId, VerificationId,
};
pub use phone::E164;
pub use problem::{AsProblem, FieldError, Problem, ProblemKind};
pub use time::{Clock, SharedClock, SystemClock, UnixMillis};
