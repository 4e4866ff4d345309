//! The verbs of this service: register, list, rename, remove; upload, count, fetch, compare; sweep, erase. No HTTP, no SQL
//! text.

pub(crate) mod consistency;
mod error;
pub(crate) mod fetch;
pub(crate) mod keys;
pub(crate) mod listing;
mod merge;
mod privacy;
pub(crate) mod registration;
pub(crate) mod removal;
pub(crate) mod signal_server;
pub(crate) mod sweeper;
pub(crate) mod upload;

pub(crate) use error::KeystoreError;
