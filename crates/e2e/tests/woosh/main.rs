//! The interface of Woosh over auth and mailbox: the tests of that project by their names, and what they leave out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod harness;
mod inbox;
#[path = "../common/server.rs"]
mod server;
mod upstream;
mod wire;
