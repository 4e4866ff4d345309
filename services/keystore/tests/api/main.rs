//! The service over HTTP, on both databases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod bad_input;
mod checks;
mod contract;
mod crashes;
mod devices;
mod events;
mod fetch;
mod harness;
mod killed;
mod killed_under_load;
mod limits;
mod operators;
mod peers;
mod registration;
mod signal_server;
mod upload;
