//! The crate as clients see it: raw requests and frames.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod conformance;
mod events;
mod handshake;
mod harness;
mod heartbeat;
mod namespaces;
mod peers;
mod polling;
mod slow;
mod toy;
mod upgrade;
