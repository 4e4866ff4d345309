//! The service over HTTP, on both databases.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod bad_input;
mod contract;
mod events;
mod guesses;
mod harness;
mod invites;
mod keys;
mod links;
mod mail;
mod operators;
mod passwords;
mod phone;
mod privacy;
mod retention;
mod sessions;
mod signal_server;
mod smtp;
mod sync;
mod totp;
mod woosh;
