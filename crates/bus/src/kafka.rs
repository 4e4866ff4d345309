//! Apache Kafka behind the bus traits, through librdkafka.
//!
//! Clients heal by themselves: a broker that is away for minutes costs latency and, past the delivery timeout,
//! transient errors; nothing has to be opened again. What librdkafka logs goes to `tracing` (target `librdkafka`);
//! it names brokers, topics and groups, never credentials or contents.

mod client;
mod consumer;
mod description;
mod lag;
mod membership;
mod onlooker;
mod producer;
mod reader;
mod recent;
mod refusal;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rdkafka::{ClientConfig, producer::Producer as _};

use crate::{Backend, BusError, BusSettings, Consumer, PartitionLag, Producer};
use client::Logs;
use consumer::KafkaConsumer;
pub use description::{TopicRetention, topic_retention};
use producer::KafkaProducer;
pub use reader::{ReadFrom, TopicReader};

/// How long a question to the brokers (ping, lag) may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long a broker that has refused us may take to let us in, before the refusal is the answer to a ping: shorter than
/// the time that a readiness check has.
const SECOND_THOUGHTS: Duration = Duration::from_millis(500);

/// Makes the clients; a broker need not be reachable yet.
pub(crate) fn open(settings: &BusSettings) -> Result<Arc<dyn Backend>, BusError> {
    let (config, logs) = (client::config(settings)?, Logs::default());
    let producer = Arc::new(KafkaProducer::new(&config, settings, &logs)?);
    Ok(Arc::new(KafkaBackend { config, settings: settings.clone(), logs, producer }))
}

struct KafkaBackend {
    config: ClientConfig,
    settings: BusSettings,
    logs: Logs,
    producer: Arc<KafkaProducer>,
}

#[async_trait]
impl Backend for KafkaBackend {
    fn producer(&self) -> Arc<dyn Producer> {
        // Whoever wants one is about to use it. What is wrong with it is told by each use.
        if let Err(error) = self.producer.current() {
            tracing::error!(%error, "no Kafka producer can be made");
        }
        self.producer.clone()
    }

    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        Ok(Box::new(KafkaConsumer::new(&self.config, &self.settings, &self.logs, group, topics)?))
    }

    async fn ping(&self) -> Result<(), BusError> {
        const ACTION: &str = "ask a broker";
        let (producer, refusal) = (self.producer.current()?, self.logs.refusal.clone());
        let asked = blocking(move || {
            let answer = producer.client().fetch_metadata(None, ANSWER_WITHIN).map(drop);
            if answer.is_ok() {
                refusal.clear();
            }
            answer
        });
        tokio::select! {
            answer = asked => answer?.map_err(|error| self.logs.refusal.explain(ACTION, &error)),
            reason = self.logs.refusal.lasting(SECOND_THOUGHTS) => Err(BusError::unavailable(ACTION, reason)),
        }
    }

    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, BusError> {
        let (mut config, topic) = (self.config.clone(), topic.to_owned());
        config.set("group.id", group).set("allow.auto.create.topics", "false");
        onlooker::ask(config, &self.logs, "read the lag", move |client| lag::read(client, &topic)).await
    }
}

/// Runs a call that waits for a broker on a thread that may wait.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, BusError> {
    tokio::task::spawn_blocking(call).await.map_err(|_| BusError::Closed)
}
