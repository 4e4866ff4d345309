//! The verbs of this service: register, list, remove; upload, count, fetch; sweep, erase. No HTTP, no SQL text.

mod error;
pub(crate) mod fetch;
pub(crate) mod keys;
mod merge;
pub(crate) mod registration;
pub(crate) mod removal;
pub(crate) mod sweeper;
pub(crate) mod upload;

pub(crate) use error::KeystoreError;
