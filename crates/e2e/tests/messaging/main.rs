//! auth, keystore and mailbox together: whole journeys, things killed under load, real libsignal clients.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bus_outage;
mod concurrency;
mod crash;
mod deletion;
mod erasure;
mod garbage;
mod harness;
mod journey;
mod low_keys;
mod outages;
mod peers;
mod people;
mod pods;
mod secrecy;
mod traces;
mod traffic;
mod wake_ups;
