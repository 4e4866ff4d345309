//! The ESME against the simulator over real sockets, and against scripted peers that misbehave.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod deliveries;
mod harness;
mod outcomes;
mod peers;
mod reconnect;
mod throughput;
