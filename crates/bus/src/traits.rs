//! What a bus is: the seam between services and the embedded log or Kafka.

use std::sync::Arc;

use async_trait::async_trait;
use common::models::UnixMillis;
use futures_util::future::BoxFuture;

use crate::{BusError, Delivered, Fingerprint, Position, Record, TopicPartition};

/// Appends records.
#[async_trait]
pub trait Producer: Send + Sync {
    /// Appends all `records` and returns once every one of them is durable. Records of one call that share a
    /// topic and a key keep their order; so do those of two calls when the first had returned before the second.
    ///
    /// # Errors
    /// After an error any part of the records may have been written, so a caller that tries again may write duplicates.
    async fn send(&self, records: Vec<Record>) -> Result<(), BusError>;

    /// Tells which records `topic` took at `since` or later, by the log's timestamps and in no order: for a caller
    /// that does not know what became of a `send`. The newest ones, when a partition took very many. A topic that
    /// does not exist has taken none.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`]: it is not known what is there.
    async fn recent(&self, topic: &str, since: UnixMillis) -> Result<Vec<Fingerprint>, BusError>;
}

/// What a consumer hears. Its order with respect to the records is the order in which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records of partitions that are assigned and not paused; in offset order within each partition.
    Records(Vec<Delivered>),
    /// These partitions are ours now, in addition to those we have; not paused, and continuing behind the
    /// group's stored offset (at the oldest record when there is none).
    Assigned(Vec<TopicPartition>),
    /// These partitions are about to be given away; no more records of them follow. Until the *next* call of
    /// [`Consumer::next`], which is the answer, they are still ours: drain what is in flight, `store`, then call.
    /// A consumer that does not answer within the drain deadline loses them nevertheless, and its late `store`s
    /// have no effect. A partition lost without notice (expired session) is reported by this event, too.
    Revoked(Vec<TopicPartition>),
}

/// A member of a consumer group. Dropping it leaves the group without waiting for anything.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next event; `max` bounds the records in it. Cancel-safe: a dropped call loses no event.
    ///
    /// # Errors
    /// A transient error ([`BusError::is_transient`]) leaves the consumer usable: call again, after a pause.
    async fn next(&mut self, max: usize) -> Result<Event, BusError>;

    /// Notes that these records, and all before them in their partitions, are done with. Keeps the highest
    /// offset of each partition; positions of partitions that are not ours have no effect. Not durable before
    /// [`Consumer::commit`], or the commit that accompanies a revocation or `close`.
    fn store(&mut self, done: &[Position]);

    /// Makes all offsets durable that are stored now. What is returned holds nothing of the consumer: a broker that
    /// takes its time keeps nobody from the next event.
    ///
    /// # Errors
    /// The offsets stay stored and go with the next commit.
    fn commit(&mut self) -> BoxFuture<'static, Result<(), BusError>>;

    /// Stops delivery from these partitions until `resume`, without giving them up. A call of `next` may still
    /// return records of them that had been fetched before.
    fn pause(&mut self, partitions: &[TopicPartition]);

    /// Continues delivery behind the last record that was delivered.
    fn resume(&mut self, partitions: &[TopicPartition]);

    /// Commits what is stored and leaves the group in order.
    ///
    /// # Errors
    /// The member has left all the same; what could not be committed will be delivered again.
    async fn close(self: Box<Self>) -> Result<(), BusError>;
}

/// How far a group is behind on one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// Partition number, from 0.
    pub partition: i32,
    /// The group's committed offset: the next one it would read. `None`: it has never committed here.
    pub committed: Option<i64>,
    /// Offset that the next record will get.
    pub end: i64,
    /// Records that are kept and not yet committed.
    pub lag: i64,
}

/// One kind of bus; [`crate::Bus`] is a handle on it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Gives the producer, shared by all callers.
    fn producer(&self) -> Arc<dyn Producer>;

    /// Makes a member of `group` subscribed to `topics`; it joins at its first `next`.
    ///
    /// # Errors
    /// [`BusError::Settings`] for what can never work; a broker that is away is no error here.
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError>;

    /// Finds out whether the bus answers.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`] when it does not.
    async fn ping(&self) -> Result<(), BusError>;

    /// Reads how far `group` is behind on `topic`, by partition number. A topic that does not exist has none.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`].
    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, BusError>;
}
