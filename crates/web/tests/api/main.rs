//! A real server on free ports with toy services, seen from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod callers;
mod drain;
mod failures;
mod harness;
mod hosting;
mod limits;
mod lingering;
mod sockets;
mod toy;
