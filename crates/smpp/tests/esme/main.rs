//! The ESME against the simulator over real sockets, and against scripted peers that misbehave.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod deliveries;
mod harness;
mod holding;
mod outcomes;
mod pacing;
mod peer;
mod peers;
mod probe;
mod reconnect;
mod simulator;
mod throughput;
mod tls;
mod versions;
