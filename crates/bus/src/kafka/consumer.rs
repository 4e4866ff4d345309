//! A member of a consumer group: a thread of its own polls librdkafka, its owner takes events and stores offsets.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers as _, Message},
};
use tokio::sync::oneshot;

use super::{
    blocking,
    client::{self, Logs},
    membership::{Flow, Membership, Offsets},
};
use crate::{BusError, BusSettings, Consumer, Delivered, Event, Headers, Position, TopicPartition};

/// How long one poll waits; also how soon a close is noticed.
const POLL: Duration = Duration::from_millis(50);
/// Records that are taken from librdkafka before they are handed over.
const BATCH: usize = 512;

pub(super) struct KafkaConsumer {
    // Given to the polling thread by a clone; the thread, which may wait, drops the last one.
    client: Option<Arc<BaseConsumer<Group>>>,
    members: Arc<Membership>,
    topics: Vec<String>,
    commit_timeout: Duration,
    left: Option<oneshot::Receiver<()>>,
}

impl KafkaConsumer {
    pub(super) fn new(
        config: &ClientConfig,
        settings: &BusSettings,
        logs: &Logs,
        group: &str,
        topics: &[&str],
    ) -> Result<Self, BusError> {
        let session = settings.session_timeout;
        let mut config = config.clone();
        config
            .set("group.id", group)
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", (session / 4).min(Duration::from_secs(3)).as_millis().to_string())
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "earliest")
            // Offsets are ours: kept by `store`, committed explicitly.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "true")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("queued.min.messages", "5000")
            .set("queued.max.messages.kbytes", "16384")
            // With few messages queued ahead, the default of 1 s would leave the fetcher idle.
            .set("fetch.queue.backoff.ms", "10");
        let members = Arc::new(Membership::default());
        let group =
            Group { members: members.clone(), patience: settings.drain_deadline(), logs: logs.clone() };
        let client = config.create_with_context(group).map_err(|error| client::refused(&error))?;
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Ok(Self { client: Some(Arc::new(client)), members, topics, commit_timeout: session, left: None })
    }

    /// Joins the group, once.
    fn join(&mut self) -> Result<(), BusError> {
        let (None, Some(client)) = (&self.left, &self.client) else { return Ok(()) };
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(|error| client::failed("subscribe", &error))?;
        let (done, left) = oneshot::channel();
        let (client, members) = (client.clone(), self.members.clone());
        let polling = std::thread::Builder::new().name("kafka-consumer".into()).spawn(move || {
            // Also when the thread panics, so that the owner does not wait for ever.
            let _ended = Ended { members: members.clone(), _done: done };
            poll(&client, &members);
            drop(client);
        });
        polling.map_err(|error| BusError::unavailable("start the polling thread", error))?;
        self.left = Some(left);
        Ok(())
    }

    fn partitions(partitions: &[TopicPartition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        list
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn next(&mut self, max: usize) -> Result<Event, BusError> {
        self.join()?;
        self.members.next(max).await
    }

    fn store(&mut self, done: &[Position]) {
        self.members.store(done);
    }

    fn commit(&mut self) -> BoxFuture<'static, Result<(), BusError>> {
        let offsets = self.members.uncommitted();
        let Some(client) = self.client.clone().filter(|_| !offsets.is_empty()) else {
            return std::future::ready(Ok(())).boxed();
        };
        let (members, patience) = (self.members.clone(), self.commit_timeout);
        let committing = blocking(move || {
            let outcome = commit(&client, &offsets);
            if outcome.is_ok() {
                members.committed(&offsets);
            }
            outcome
        });
        async move {
            match tokio::time::timeout(patience, committing).await {
                Ok(outcome) => outcome?.map_err(|error| client::failed("commit", &error)),
                Err(_) => Err(BusError::Timeout),
            }
        }
        .boxed()
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        let ours = self.members.set_paused(partitions, true);
        if let Some(client) = &self.client {
            log_failure("pause", client.pause(&Self::partitions(&ours)));
        }
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        let ours = self.members.set_paused(partitions, false);
        if let Some(client) = &self.client {
            log_failure("resume", client.resume(&Self::partitions(&ours)));
        }
    }

    async fn close(mut self: Box<Self>) -> Result<(), BusError> {
        let committed = self.commit().await;
        self.client = None;
        self.members.close();
        if let Some(left) = self.left.take() {
            // Without a broker there is nobody to say goodbye to.
            let _ = tokio::time::timeout(self.commit_timeout, left).await;
        }
        committed
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.client = None;
        self.members.close();
    }
}

struct Ended {
    members: Arc<Membership>,
    // Dropped with this, which is the message.
    _done: oneshot::Sender<()>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.members.end();
    }
}

/// Polls until the consumer is closed. librdkafka calls [`Group`] from within.
fn poll(client: &BaseConsumer<Group>, members: &Membership) {
    let mut topics = Topics::default();
    while !members.is_closing() {
        match members.flow() {
            Flow::Go => {}
            Flow::Stop(partitions) => {
                log_failure("pause", client.pause(&KafkaConsumer::partitions(&partitions)));
            }
            Flow::Resume(partitions) => {
                log_failure("resume", client.resume(&KafkaConsumer::partitions(&partitions)));
            }
        }
        let mut batch = VecDeque::new();
        let mut wait = POLL;
        while batch.len() < BATCH
            && let Some(polled) = client.poll(wait)
        {
            match polled {
                Ok(message) => batch.push_back(delivered(&message, &mut topics)),
                Err(error) => report(&error, members, &client.context().logs),
            }
            wait = Duration::ZERO;
        }
        members.deliver(batch);
    }
}

/// Reports what the owner should know of. What librdkafka deals with on its own is in its log.
fn report(error: &KafkaError, members: &Membership, logs: &Logs) {
    let code = error.rdkafka_error_code();
    if let Some(
        RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownPartition,
    ) = code
    {
        tracing::debug!(%error, "Kafka consumer continues by itself");
        return;
    }
    members.fail(logs.refusal.explain("consume", error));
}

fn commit(client: &BaseConsumer<Group>, offsets: &Offsets) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, next) in offsets {
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*next))?;
    }
    client.commit(&list, CommitMode::Sync)
}

fn log_failure(action: &'static str, outcome: KafkaResult<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, action, "Kafka consumer could not change its fetching");
    }
}

/// Names that occur, so that a record's topic costs no allocation.
#[derive(Default)]
pub(super) struct Topics(Vec<Arc<str>>);

impl Topics {
    fn named(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == name) {
            return known.clone();
        }
        let fresh: Arc<str> = name.into();
        self.0.push(fresh.clone());
        fresh
    }
}

pub(super) fn delivered(message: &BorrowedMessage<'_>, topics: &mut Topics) -> Delivered {
    Delivered {
        position: Position {
            topic: topics.named(message.topic()),
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers(message),
    }
}

pub(super) fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let Some(headers) = message.headers() else { return Headers::new() };
    let read = |index| {
        // The binding panics at a name that is not UTF-8. Any producer can write one, and it must not end the
        // consumption of its partition: such a header is left out.
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(index))).ok().flatten()?;
        Some((header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
    };
    (0..headers.count()).filter_map(read).collect()
}

/// librdkafka's view of the membership; called on the polling thread.
struct Group {
    members: Arc<Membership>,
    patience: Duration,
    logs: Logs,
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logs.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logs.error(error, reason);
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.revoke(client, &partitions(list));
        }
    }

    fn post_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance
            && list.count() > 0
        {
            self.logs.refusal.clear();
            let assigned = partitions(list);
            let mut held = self.members.assign(&assigned);
            // librdkafka remembers a pause across assignments. Flow control may change its mind meanwhile.
            loop {
                log_failure("assign", if held { client.pause(list) } else { client.resume(list) });
                let now = self.members.is_held();
                if std::mem::replace(&mut held, now) == now {
                    break;
                }
            }
            // Only now: an owner who pauses what it is told of must not be overruled by the line above.
            self.members.announce(assigned);
        }
    }
}

impl Group {
    fn revoke(&self, client: &BaseConsumer<Self>, revoked: &[TopicPartition]) {
        if revoked.is_empty() || self.members.is_closing() {
            return;
        }
        // A lost partition has another owner already: there is nothing to drain for, and no right to commit.
        let lost = client.assignment_lost();
        let patience = if lost { Duration::ZERO } else { self.patience };
        let offsets = self.members.revoke(revoked, patience);
        if !lost
            && !offsets.is_empty()
            && let Err(error) = commit(client, &offsets)
        {
            tracing::warn!(%error, "offsets of revoked partitions were not committed; their records come again");
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|entry| TopicPartition::new(entry.topic(), entry.partition())).collect()
}
