//! What every bus must do, written once against the traits and run on each: the embedded log here, Kafka with the
//! feature of that name. A bus takes part by implementing [`rig::Rig`] and calling `conformance!`.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[macro_use]
mod rig;
mod embedded;
#[cfg(feature = "kafka")]
mod kafka;
mod suite;
