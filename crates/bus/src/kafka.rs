//! Apache Kafka behind the bus traits, through librdkafka.
//!
//! Clients heal by themselves: a broker that is away for minutes costs latency and, past the delivery timeout,
//! transient errors; nothing has to be opened again. What librdkafka logs goes to `tracing` (target `librdkafka`);
//! it names brokers, topics and groups, never credentials or contents.

mod client;
mod consumer;
mod lag;
mod membership;
mod producer;
mod reader;
mod recent;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rdkafka::{
    ClientConfig,
    producer::{Producer as _, ThreadedProducer},
};

use crate::{Backend, BusError, BusSettings, Consumer, PartitionLag, Producer};
use consumer::KafkaConsumer;
use producer::KafkaProducer;
pub use reader::{ReadFrom, TopicReader};

/// How long a question to the brokers (ping, lag) may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Makes the clients; a broker need not be reachable yet.
pub(crate) fn open(settings: &BusSettings) -> Result<Arc<dyn Backend>, BusError> {
    let config = client::config(settings)?;
    let producer = Arc::new(KafkaProducer::new(&config, settings)?);
    Ok(Arc::new(KafkaBackend { config, settings: settings.clone(), producer }))
}

struct KafkaBackend {
    config: ClientConfig,
    settings: BusSettings,
    producer: Arc<KafkaProducer>,
}

#[async_trait]
impl Backend for KafkaBackend {
    fn producer(&self) -> Arc<dyn Producer> {
        self.producer.clone()
    }

    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        Ok(Box::new(KafkaConsumer::new(&self.config, &self.settings, group, topics)?))
    }

    async fn ping(&self) -> Result<(), BusError> {
        let producer: ThreadedProducer<_> = self.producer.current();
        let asked = move || producer.client().fetch_metadata(None, ANSWER_WITHIN).map(drop);
        blocking(asked).await?.map_err(|error| client::failed("ask a broker", &error))
    }

    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, BusError> {
        let (config, group, topic) = (self.config.clone(), group.to_owned(), topic.to_owned());
        let read = blocking(move || lag::read(&config, &group, &topic)).await?;
        read.map_err(|error| client::failed("read the lag", &error))
    }
}

/// Runs a call that waits for a broker on a thread that may wait.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, BusError> {
    tokio::task::spawn_blocking(call).await.map_err(|_| BusError::Closed)
}
