//! What travels on the bus: records as they are produced, records as they are delivered, and where they stand.
//!
//! Keys, values and header values are opaque bytes and come out exactly as they went in; a missing key, value
//! or header value is distinct from an empty one, as in Kafka. `Debug` shows sizes, never bytes.

use std::{fmt, sync::Arc};

use telemetry::TraceContext;

/// Header with the name and version of a value's schema, such as `account-event.1`.
pub const SCHEMA: &str = "schema";
/// Header with the id by which consumers recognise a redelivered record.
pub const MESSAGE_ID: &str = "message-id";
/// Header with the W3C trace context of the producer.
pub const TRACEPARENT: &str = "traceparent";
/// Header of a dead letter: why it was given up.
pub const ERROR: &str = "error";
/// Header of a dead letter: how often it was handed to the handler, in decimal.
pub const ATTEMPTS: &str = "attempts";
/// Header of a dead letter: the topic it came from.
pub const SOURCE_TOPIC: &str = "source-topic";
/// Header of a dead letter: the partition it came from, in decimal.
pub const SOURCE_PARTITION: &str = "source-partition";
/// Header of a dead letter: the offset it came from, in decimal.
pub const SOURCE_OFFSET: &str = "source-offset";
/// Header of a dead letter without the original's key, value and headers, which were too large: their size in bytes.
pub const OMITTED_BYTES: &str = "omitted-bytes";

/// Record headers in their order; a name may occur more than once and a value may be null.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Option<Vec<u8>>)>);

impl Headers {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a header; an earlier one of the same name stays.
    pub fn push(&mut self, name: impl Into<String>, value: Option<Vec<u8>>) {
        self.0.push((name.into(), value));
    }

    /// Finds the last header of that name which has a value.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().rev().find(|(n, v)| n == name && v.is_some()).and_then(|(_, v)| v.as_deref())
    }

    /// Finds the last header of that name and reads it as UTF-8; `None` also when it is not.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Iterates in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Tells how many headers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum()
    }
}

impl FromIterator<(String, Option<Vec<u8>>)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, Option<Vec<u8>>)>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A record to be produced.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Topic name; one of [`crate::topics`] or a name from settings.
    pub topic: String,
    /// What must stay in order shares a key; without a key, partitions take turns.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Headers,
}

impl Record {
    /// Makes a record with a key, a value and no headers.
    pub fn new(topic: impl Into<String>, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Headers::new(),
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(name, Some(value.into()));
        self
    }

    /// Counts the bytes of key, value and headers, which is what the size limit is about.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        length(&self.key) + length(&self.value) + self.headers.size()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic", &self.topic)
            .field("bytes", &self.size())
            .finish_non_exhaustive()
    }
}

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// Where a record stands in the log; unique, and growing within a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
    /// Offset in the partition, from 0.
    pub offset: i64,
}

impl Position {
    /// Names the partition.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A record as a consumer receives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Topic, partition and offset.
    pub position: Position,
    /// When the log took it, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Key, byte for byte.
    pub key: Option<Vec<u8>>,
    /// Value, byte for byte; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, in the producer's order.
    pub headers: Headers,
}

impl Delivered {
    /// The trace that its header names; none for what is no `traceparent`, whoever produced it.
    pub fn trace(&self) -> Option<TraceContext> {
        self.headers.get_str(TRACEPARENT).and_then(TraceContext::parse)
    }

    /// The value, with a tombstone read as no bytes: what a decoder that knows no tombstones wants.
    pub fn bytes(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered").field("position", &self.position).finish_non_exhaustive()
    }
}
