//! The service as its callers see it, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod audited;
mod clients;
mod contract;
mod crashes;
mod harness;
mod intake;
mod listing;
mod outgoing;
mod publishing;
mod seeds;
mod tls;
mod twilio;
