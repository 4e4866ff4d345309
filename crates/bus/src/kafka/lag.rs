//! Reads how far a group is behind, as an onlooker that does not join it.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
};

use super::{ANSWER_WITHIN, client::Logs};
use crate::PartitionLag;

pub(super) fn read(config: &ClientConfig, group: &str, topic: &str) -> KafkaResult<Vec<PartitionLag>> {
    let mut config = config.clone();
    config.set("group.id", group).set("allow.auto.create.topics", "false");
    let client: BaseConsumer<OnLooker> = config.create_with_context(OnLooker::default())?;
    let metadata = client.fetch_metadata(Some(topic), ANSWER_WITHIN)?;
    let mut asked = TopicPartitionList::new();
    for partition in metadata.topics().iter().filter(|t| t.name() == topic).flat_map(|t| t.partitions()) {
        asked.add_partition(topic, partition.id());
    }
    if asked.count() == 0 {
        return Ok(Vec::new());
    }
    let committed = client.committed_offsets(asked, ANSWER_WITHIN)?;
    let mut lags = Vec::with_capacity(committed.count());
    for entry in committed.elements() {
        entry.error()?;
        let partition = entry.partition();
        let (start, end) = client.fetch_watermarks(topic, partition, ANSWER_WITHIN)?;
        let committed = match entry.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let next = committed.unwrap_or(start).max(start);
        lags.push(PartitionLag { partition, committed, end, lag: (end - next).max(0) });
    }
    lags.sort_by_key(|lag| lag.partition);
    Ok(lags)
}

/// A consumer that never subscribes.
#[derive(Default)]
pub(super) struct OnLooker(Logs);

impl rdkafka::ClientContext for OnLooker {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for OnLooker {}
