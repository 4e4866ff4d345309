//! The real program, run as people and scripts run it.
#![expect(clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod clinic;
mod doctor;
mod envelopes;
mod examples;
mod explain;
mod kafka;
mod operators;
mod program;
mod routes;
mod rows;
mod sending;
mod serving;
mod smsc;
mod tutorial;
mod vaults;
