//! Questions about topics, by a client that joins no group and is gone after the answer.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use super::{ANSWER_WITHIN, blocking, client::Logs};
use crate::BusError;

/// How often the client of a failed question is asked for the reason, at most.
const HEARINGS: usize = 16;
/// How long it may take to answer each time.
const HEARING: Duration = Duration::from_millis(10);

/// Pause before a broker is asked again that does not lead the partition, or not yet.
const LEADER_PAUSE: Duration = Duration::from_millis(50);

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
    question: impl Fn(&BaseConsumer<OnLooker>) -> KafkaResult<T> + Send + 'static,
) -> Result<T, BusError> {
    let (onlooker, refusal) = (OnLooker(logs.clone()), logs.refusal.clone());
    let asked = blocking(move || {
        let client: BaseConsumer<OnLooker> = config.create_with_context(onlooker)?;
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut answer = question(&client);
        while answer.as_ref().is_err_and(moves) && Instant::now() < deadline {
            std::thread::sleep(LEADER_PAUSE);
            answer = question(&client);
        }
        if answer.is_err() {
            // A reason waits in the client's queue, between lines of the log: polling hands it to the context.
            for _ in (0..HEARINGS).take_while(|_| !refusal.is_known()) {
                drop(client.poll(HEARING));
            }
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

/// Whether an error says that a partition has no leader for the moment, or a new one: so after its creation, and when
/// brokers come and go.
fn moves(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    matches!(error.rdkafka_error_code(), Some(LeaderNotAvailable | NotLeaderForPartition))
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
