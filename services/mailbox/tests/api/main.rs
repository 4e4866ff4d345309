//! The service as its callers see it, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "diesel's table! generates undocumented items")]

mod batch;
mod blocks;
mod concurrency;
mod events;
mod harness;
mod idempotency;
mod limits;
mod lives;
mod messages;
mod migrations;
mod online;
mod openapi;
mod operators;
mod pods;
mod presence;
mod signal_server;
mod slow;
mod socket;
mod tickets;
mod time;
