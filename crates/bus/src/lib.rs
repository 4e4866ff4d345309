//! The event bus (Apache Kafka or the embedded log), the transactional outbox and the live fan-out.
