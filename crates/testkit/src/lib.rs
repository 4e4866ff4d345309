//! Test support: real PostgreSQL, RabbitMQ and Kafka, fresh databases, clients.
