//! The SMS gateway on real parts: its own process, Apache Kafka, PostgreSQL, SMSCs that are not ours. What must hold
//! is tested by killing them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod broker;
#[path = "../../../../services/sms-gateway/tests/api/cases.rs"]
mod cases;
mod chaos;
mod codes;
mod contract;
mod followed;
mod garbage;
mod killing;
mod metrics;
mod outages;
mod peers;
mod random;
mod rebalance;
mod run;
mod secrecy;
mod secured;
mod standalone;
mod standstill;
mod statuses;
mod urgent;
mod world;
