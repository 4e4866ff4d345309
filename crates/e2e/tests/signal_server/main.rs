//! The interface of signal_server (profile S) over auth, keystore and mailbox: the tests of that project by their names in
//! its S form, and what they leave out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundles;
mod crash;
mod deletion;
mod device_change;
mod harness;
mod keys;
mod paths;
mod queue;
mod sending;
#[path = "../common/server.rs"]
mod server;
mod upstream;
