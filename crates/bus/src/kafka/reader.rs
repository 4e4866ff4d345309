//! Reads a topic as an onlooker: no group, nothing committed, no other reader disturbed. For people who watch.

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, StreamConsumer},
    error::KafkaResult,
};

use super::{
    ANSWER_WITHIN,
    client::{self, Logs},
    consumer,
    onlooker::{self, OnLooker},
};
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
    logs: Logs,
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
        let (logs, named) = (Logs::default(), topic.to_owned());
        let starts = onlooker::ask(config.clone(), &logs, "read the topic", move |client| {
            starts(client, &named, from)
        });
        let starts = starts.await?;
        if starts.count() == 0 {
            return Err(BusError::Settings(format!("there is no topic {topic}")));
        }
        let client: StreamConsumer<OnLooker> = config
            .create_with_context(OnLooker(logs.clone()))
            .and_then(|client: StreamConsumer<OnLooker>| client.assign(&starts).map(|()| client))
            .map_err(|error| client::refused(&error))?;
        Ok(Self { client, topics: consumer::Topics::default(), logs })
    }

    /// Waits for the next record. Cancel-safe.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`]: call again, after a pause.
    pub async fn next(&mut self) -> Result<Delivered, BusError> {
        let received = self.client.recv().await;
        let message = received.map_err(|error| self.logs.refusal.explain("read a record", &error))?;
        self.logs.refusal.clear();
        Ok(consumer::delivered(&message, &mut self.topics))
    }
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicReader").finish_non_exhaustive()
    }
}

/// Finds where to begin in all partitions.
fn starts(client: &BaseConsumer<OnLooker>, topic: &str, from: ReadFrom) -> KafkaResult<TopicPartitionList> {
    let mut partitions = onlooker::partitions(client, topic)?;
    if partitions.count() == 0 {
        return Ok(partitions);
    }
    partitions.set_all_offsets(match from {
        ReadFrom::Oldest => Offset::Beginning,
        ReadFrom::Newest => Offset::End,
    })?;
    let starts = client.offsets_for_times(partitions, ANSWER_WITHIN)?;
    starts.elements().iter().try_for_each(|entry| entry.error())?;
    Ok(starts)
}
