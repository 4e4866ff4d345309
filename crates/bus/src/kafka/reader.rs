//! Reads a topic as an onlooker: no group, nothing committed, no other reader disturbed. For people who watch.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, StreamConsumer},
    error::KafkaResult,
};

use super::{ANSWER_WITHIN, blocking, client, consumer, lag::OnLooker};
use crate::{BusError, BusSettings, Delivered};

/// Where a [`TopicReader`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At the oldest record that is kept.
    Oldest,
    /// Behind the newest record there is when the reader is opened.
    Newest,
}

/// Reads the records of one topic, from all the partitions that it had when the reader was opened.
pub struct TopicReader {
    client: StreamConsumer<OnLooker>,
    topics: consumer::Topics,
}

impl TopicReader {
    /// Opens a reader. Every record that is produced from here on will be read.
    ///
    /// # Errors
    /// [`BusError::Settings`] for what can never work, a topic that does not exist among it;
    /// [`BusError::Unavailable`] or [`BusError::Timeout`] when no broker answers.
    pub async fn open(settings: &BusSettings, topic: &str, from: ReadFrom) -> Result<Self, BusError> {
        let mut config = client::config(settings)?;
        config
            // librdkafka wants a name, but a consumer that is assigned its partitions joins no group.
            .set("group.id", "sealpost-reader")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false");
        let named = topic.to_owned();
        let opened = blocking(move || open(&config, &named, from)).await?;
        let client = opened.map_err(|error| client::failed("read the topic", &error))?;
        let client = client.ok_or_else(|| BusError::Settings(format!("there is no topic {topic}")))?;
        Ok(Self { client, topics: consumer::Topics::default() })
    }

    /// Waits for the next record. Cancel-safe.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`]: call again, after a pause.
    pub async fn next(&mut self) -> Result<Delivered, BusError> {
        let message = self.client.recv().await.map_err(|error| client::failed("read a record", &error))?;
        Ok(consumer::delivered(&message, &mut self.topics))
    }
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicReader").finish_non_exhaustive()
    }
}

/// Assigns all partitions; `None` when there are none.
fn open(config: &ClientConfig, topic: &str, from: ReadFrom) -> KafkaResult<Option<StreamConsumer<OnLooker>>> {
    let asking: BaseConsumer<OnLooker> = config.create_with_context(OnLooker::default())?;
    let metadata = asking.fetch_metadata(Some(topic), ANSWER_WITHIN)?;
    let mut assigned = TopicPartitionList::new();
    for partition in metadata.topics().iter().filter(|t| t.name() == topic).flat_map(|t| t.partitions()) {
        let (start, end) = asking.fetch_watermarks(topic, partition.id(), ANSWER_WITHIN)?;
        let first = if from == ReadFrom::Oldest { start } else { end };
        assigned.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
    }
    if assigned.count() == 0 {
        return Ok(None);
    }
    let client: StreamConsumer<OnLooker> = config.create_with_context(OnLooker::default())?;
    client.assign(&assigned)?;
    Ok(Some(client))
}
