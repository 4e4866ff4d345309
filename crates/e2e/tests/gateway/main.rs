//! Messages without the internet, through auth, sync, relay and RabbitMQ: an app synchronizes once, and its SMS reach the
//! publisher.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod journey;
mod publisher;
mod standalone;
mod user;
