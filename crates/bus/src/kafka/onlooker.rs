//! Questions about topics, by a client that joins no group and is gone after the answer.

use std::time::Duration;

use rdkafka::{
    ClientConfig, ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use super::{ANSWER_WITHIN, blocking, client::Logs};
use crate::BusError;

/// What librdkafka may have to say about a failed question, at most.
const SAYINGS: usize = 16;

/// A consumer that never subscribes.
pub(super) struct OnLooker(pub(super) Logs);

impl ClientContext for OnLooker {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ConsumerContext for OnLooker {}

/// Asks on a thread that may wait, and says why there is no answer.
pub(super) async fn ask<T: Send + 'static>(
    config: ClientConfig,
    logs: &Logs,
    action: &str,
    question: impl FnOnce(&BaseConsumer<OnLooker>) -> KafkaResult<T> + Send + 'static,
) -> Result<T, BusError> {
    let onlooker = OnLooker(logs.clone());
    let asked = blocking(move || {
        let client: BaseConsumer<OnLooker> = config.create_with_context(onlooker)?;
        let answer = question(&client);
        if answer.is_err() {
            // The reason may wait in the client's queue: polling hands it to the context.
            (0..SAYINGS).map_while(|_| client.poll(Duration::ZERO)).for_each(drop);
        }
        answer
    });
    match asked.await? {
        Ok(answer) => {
            logs.refusal.clear();
            Ok(answer)
        }
        Err(error) => Err(logs.refusal.explain(action, &error)),
    }
}

/// Lists the partitions of a topic, without offsets; none when it does not exist.
pub(super) fn partitions(client: &BaseConsumer<OnLooker>, topic: &str) -> KafkaResult<TopicPartitionList> {
    let metadata = client.fetch_metadata(Some(topic), ANSWER_WITHIN)?;
    let mut partitions = TopicPartitionList::new();
    for named in metadata.topics().iter().filter(|named| named.name() == topic) {
        match named.error().map(RDKafkaErrorCode::from) {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {}
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
            None => {
                for partition in named.partitions() {
                    partitions.add_partition(topic, partition.id());
                }
            }
        }
    }
    Ok(partitions)
}
