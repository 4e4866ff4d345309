//! Reads the end of a topic, as an onlooker that joins no group.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use super::{
    ANSWER_WITHIN, consumer,
    onlooker::{self, OnLooker},
};
use crate::recent::{Fingerprint, RECENT_RECORDS};

/// How long to listen before the deadline is looked at again.
const LISTEN: Duration = Duration::from_millis(100);

/// What the reading client needs on top of what all share.
pub(super) fn config(shared: &ClientConfig) -> ClientConfig {
    let mut config = shared.clone();
    config
        // librdkafka wants a name, but a consumer that is assigned its partitions joins no group.
        .set("group.id", "sealpost-outbox")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        // The last offset may be no record that is delivered.
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_uncommitted");
    config
}

/// Reads from the first record that is not older than `since_ms` to the ends that the partitions have now.
pub(super) fn read(
    client: &BaseConsumer<OnLooker>,
    topic: &str,
    since_ms: i64,
) -> KafkaResult<Vec<Fingerprint>> {
    let mut ends = assign(client, topic, since_ms)?;
    let mut found = Vec::new();
    let mut deadline = Instant::now() + ANSWER_WITHIN;
    while !ends.is_empty() {
        match client.poll(LISTEN) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let Some(&end) = ends.get(&partition) else { continue };
                if offset < end {
                    let headers = consumer::headers(&message);
                    found.push(Fingerprint::new(message.key(), message.payload(), &headers));
                }
                if offset + 1 >= end {
                    ends.remove(&partition);
                }
                deadline = Instant::now() + ANSWER_WITHIN;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            Some(Err(error)) => return Err(error),
            None if Instant::now() >= deadline => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            None => {}
        }
    }
    Ok(found)
}

/// Assigns the partitions that have something to be read; gives the end of each.
fn assign(client: &BaseConsumer<OnLooker>, topic: &str, since_ms: i64) -> KafkaResult<HashMap<i32, i64>> {
    let mut times = onlooker::partitions(client, topic)?;
    times.set_all_offsets(Offset::Offset(since_ms.max(0)))?;
    if times.count() == 0 {
        return Ok(HashMap::new());
    }
    let mut assigned = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for entry in client.offsets_for_times(times, ANSWER_WITHIN)?.elements() {
        entry.error()?;
        // Anything else: the partition has no record since then.
        let Offset::Offset(first) = entry.offset() else { continue };
        let (start, end) = client.fetch_watermarks(topic, entry.partition(), ANSWER_WITHIN)?;
        let first = first.max(start).max(end - RECENT_RECORDS);
        if first < end {
            assigned.add_partition_offset(topic, entry.partition(), Offset::Offset(first))?;
            ends.insert(entry.partition(), end);
        }
    }
    client.assign(&assigned)?;
    Ok(ends)
}
