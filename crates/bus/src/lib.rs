//! The event bus: durable topics with keys, partitions and consumer groups, behind one set of traits.
//!
//! In: [`Record`]s, through a [`Producer`]. Out: [`Event`]s of a [`Consumer`], usually through the worker loop,
//! which alone turns a handler's outcome into offsets, later tries and dead letters. What must hold on every bus:
//! a record is durable before `send` returns; records of one key keep their order; each group sees each record at
//! least once; committed offsets survive a kill; keys, values and headers come out byte for byte.
//!
//! [`Bus`] opens either the embedded log (SQLite, one process) or Kafka (feature `kafka`).

#[cfg(feature = "amqp")]
mod amqp;
mod embedded;
mod error;
mod handle;
#[cfg(feature = "kafka")]
mod kafka;
pub mod live;
pub mod outbox;
mod partitioner;
mod recent;
pub mod record;
mod settings;
pub mod topics;
mod traits;
pub mod worker;

#[cfg(feature = "amqp")]
pub use amqp::{AmqpServer, InvalidAmqp, trace_of, with_trace};
pub use error::BusError;
pub use handle::Bus;
#[cfg(feature = "kafka")]
pub use kafka::{ReadFrom, TopicReader, TopicRetention, topic_retention};
pub use recent::Fingerprint;
pub use record::{Delivered, Headers, Position, Record, TopicPartition};
pub use settings::{
    AmqpTlsSettings, BusKind, BusSettings, RetentionSettings, SecurityProtocol, SecuritySettings,
};
pub use traits::{Backend, Consumer, Event, PartitionLag, Producer};
