//! The service as its callers see it, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod channel_api;
mod contract;
mod crashes;
mod harness;
mod inputs;
mod page;
mod peers;
mod pods;
mod presence;
mod publishing;
mod push;
mod resuming;
mod slow;
mod socketio;
mod time;
mod tokens;
mod webhooks;
