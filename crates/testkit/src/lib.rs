//! Test support: real PostgreSQL, RabbitMQ and Kafka, fresh databases, clients.
#![expect(clippy::expect_used, reason = "a test's harness fails its test by panicking")]

pub mod infra;
pub mod kafka;
pub mod process;
pub mod rabbitmq;
