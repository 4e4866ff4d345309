//! The service as its callers see it, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "diesel's macros generate undocumented items")]

mod contract;
mod devices;
mod harness;
mod pods;
mod provisioning;
mod sessions;
mod socket;
mod user_api;
