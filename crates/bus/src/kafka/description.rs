//! What a topic keeps: a question for people who look after a cluster.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier},
    error::KafkaError,
};

use super::{
    ANSWER_WITHIN,
    client::{self, Logs},
};
use crate::{BusError, BusSettings};

/// Kafka's settings of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRetention {
    /// How long records are kept; none: for ever.
    pub age: Option<Duration>,
    /// How many bytes of a partition are kept; none: however many there are.
    pub partition_bytes: Option<u64>,
    /// Whether old records go (`delete`), or all but the newest of each key (`compact`), or both.
    pub cleanup: String,
}

/// Asks what a topic keeps. It takes the right to describe the topic's settings.
///
/// # Errors
/// [`BusError::Settings`] for what can never work; [`BusError::Unavailable`] or [`BusError::Timeout`] when no broker
/// answers, or the answer is a refusal.
pub async fn topic_retention(settings: &BusSettings, topic: &str) -> Result<TopicRetention, BusError> {
    const ACTION: &str = "read the settings of a topic";
    let logs = Logs::default();
    let client: AdminClient<Logs> = client::config(settings)?
        .create_with_context(logs.clone())
        .map_err(|error| client::refused(&error))?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
    let asked = [ResourceSpecifier::Topic(topic)];
    let explain = |error: KafkaError| logs.refusal.explain(ACTION, &error);
    let answers = client.describe_configs(&asked, &options).await.map_err(explain)?;
    let answer = answers.into_iter().next().ok_or(BusError::Closed)?;
    answer.map(|resource| read(&resource)).map_err(|code| explain(KafkaError::AdminOp(code)))
}

fn read(resource: &ConfigResource) -> TopicRetention {
    let value = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
    // Kafka writes -1 for "no limit", which is no unsigned number.
    let limit = |name: &str| value(name).and_then(|value| value.parse::<u64>().ok());
    TopicRetention {
        age: limit("retention.ms").map(Duration::from_millis),
        partition_bytes: limit("retention.bytes"),
        cleanup: value("cleanup.policy").unwrap_or_default().to_owned(),
    }
}
