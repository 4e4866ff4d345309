//! The verbs of this service: start, exchange keys, verify, show, forget, link. No HTTP, no SQL text.

mod error;
pub(crate) mod handshake;
pub(crate) mod hints;
pub(crate) mod housekeeping;
mod ids;
mod privacy;
mod processes;
pub(crate) mod provisioning;
pub(crate) mod qr;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod shared_keys;
pub(crate) mod subscription;
pub(crate) mod verify;

pub(crate) use error::SyncError;
pub(crate) use ids::{SyncId, UserId};
pub(crate) use processes::{Holder, Process, Seat, run as keep_alive};
