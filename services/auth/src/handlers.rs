//! HTTP in, HTTP out: extract, call the domain, answer.

pub(crate) mod accounts;
mod bodies;
pub(crate) mod compat;
pub(crate) mod internal;
pub(crate) mod invites;
pub(crate) mod links;
pub(crate) mod mail;
pub(crate) mod operators;
pub(crate) mod phone;
pub(crate) mod privacy;
pub(crate) mod sessions;
pub(crate) mod sync_calls;
pub(crate) mod totp;

use std::time::Duration;

/// A wait as the calls between services give it: seconds, rounded up, one at least.
fn whole_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}
