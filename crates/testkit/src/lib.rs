//! Test support: real PostgreSQL, RabbitMQ and Kafka, fresh databases, clients.
#![expect(clippy::expect_used, clippy::panic, reason = "a test's harness fails its test by panicking")]

pub mod auth;
mod cache;
pub mod calls;
pub mod certificates;
pub mod clock;
pub mod contract;
pub mod database;
pub mod events;
pub mod host;
pub mod http;
pub mod infra;
pub mod kafka;
pub mod kannel;
pub mod obstacle;
pub mod peer_client;
pub mod peers;
pub mod postgres;
pub mod process;
pub mod program;
pub mod rabbitmq;
pub mod signal;
pub mod smsc_peers;
pub mod socketio_peers;
pub mod wait;
pub mod webhooks;
pub mod ws;
