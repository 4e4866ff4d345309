//! Produces records and waits until the brokers have confirmed them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use common::models::UnixMillis;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    client::{self, Logs},
    onlooker, recent,
};
use crate::{BusError, BusSettings, Fingerprint, Producer, Record};

/// Room for the framing of a record, on top of its bytes.
const FRAMING_BYTES: usize = 16 * 1024;
/// How long to wait before the next try when librdkafka's queue is full.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);
/// How long one poll for confirmations lasts, and so at most the life of a client that was replaced.
const POLL: Duration = Duration::from_secs(2);

pub(super) struct KafkaProducer {
    /// For questions: what all clients share.
    shared: ClientConfig,
    config: ClientConfig,
    limit: usize,
    delivery_timeout: Duration,
    logs: Logs,
    /// None until it is needed: many a process only consumes, or does neither.
    client: Mutex<Option<Arc<BaseProducer<Deliveries>>>>,
}

impl KafkaProducer {
    pub(super) fn new(shared: &ClientConfig, settings: &BusSettings, logs: &Logs) -> Result<Self, BusError> {
        let limit = settings.max_record_bytes;
        let mut config = shared.clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("delivery.timeout.ms", settings.delivery_timeout.as_millis().to_string())
            .set("message.max.bytes", (limit + FRAMING_BYTES).to_string())
            .set("queue.buffering.max.kbytes", "131072")
            // The Java client's default, so that a key lands in one partition whoever produces it.
            .set("partitioner", "murmur2_random");
        // What can never work is told at the start, also where no client is made.
        config.create_native_config().map_err(|error| client::refused(&error))?;
        let (shared, delivery_timeout) = (shared.clone(), settings.delivery_timeout);
        Ok(Self { shared, config, limit, delivery_timeout, logs: logs.clone(), client: Mutex::default() })
    }

    /// The client in use, which connects from the first call on.
    pub(super) fn current(&self) -> Result<Arc<BaseProducer<Deliveries>>, BusError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*client {
            Some(client) => Ok(client.clone()),
            None => Ok(client.insert(create(&self.config, &self.logs)?).clone()),
        }
    }

    /// An idempotent producer that has met a fatal error (the brokers lost its state) refuses every further record:
    /// replaces it.
    fn replace_if_fatal(&self) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let fatal = client.as_ref().and_then(|client| client.client().fatal_error());
        let Some((code, _)) = fatal else { return };
        match create(&self.config, &self.logs) {
            Ok(fresh) => {
                tracing::warn!(error = %code, "Kafka producer failed for good and was replaced");
                *client = Some(fresh);
            }
            Err(error) => tracing::error!(%error, "Kafka producer failed for good and could not be replaced"),
        }
    }

    async fn produce(&self, records: &[Record]) -> Result<(), BusError> {
        let client = self.current()?;
        let (call, confirmed) = Call::new(records.len());
        let deadline = Instant::now() + self.delivery_timeout;
        'records: for (taken, record) in records.iter().enumerate() {
            let mut attempt = kafka_record(record, &call);
            while let Err((error, refused)) = client.send(attempt) {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || Instant::now() >= deadline {
                    let failure = if full { BusError::Timeout } else { client::failed("produce", &error) };
                    call.give_up(records.len() - taken, failure);
                    // What was taken is under way: the caller hears of the failure when it has come to its end.
                    break 'records;
                }
                attempt = refused;
                tokio::time::sleep(QUEUE_FULL_PAUSE).await;
            }
        }
        confirmed.await.unwrap_or(Err(BusError::Closed))
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn send(&self, records: Vec<Record>) -> Result<(), BusError> {
        if let Some(record) = records.iter().find(|record| record.size() > self.limit) {
            let (topic, size) = (record.topic.clone(), record.size());
            return Err(BusError::TooLarge { topic, size, limit: self.limit });
        }
        if records.is_empty() {
            return Ok(());
        }
        let outcome = self.produce(&records).await;
        if outcome.is_err() {
            self.replace_if_fatal();
        }
        outcome.map_err(|error| match error {
            // The callback knows neither topic nor size; a broker's own limit is lower than ours.
            BusError::TooLarge { .. } => {
                let largest = records.iter().max_by_key(|record| record.size());
                let (topic, size) =
                    largest.map(|record| (record.topic.clone(), record.size())).unwrap_or_default();
                BusError::TooLarge { topic, size, limit: self.limit.min(size) }
            }
            other => other,
        })
    }

    async fn recent(&self, topic: &str, since: UnixMillis) -> Result<Vec<Fingerprint>, BusError> {
        let (config, topic) = (recent::config(&self.shared), topic.to_owned());
        let read = move |client: &_| recent::read(client, &topic, since.as_i64());
        onlooker::ask(config, &self.logs, "read the latest records", read).await
    }
}

/// Makes a client, and the thread that receives its confirmations until nobody has the client any more.
///
/// Not a `ThreadedProducer`: it polls for 100 ms at a time, and the last millisecond of each poll keeps a core busy.
fn create(config: &ClientConfig, logs: &Logs) -> Result<Arc<BaseProducer<Deliveries>>, BusError> {
    let client = config.create_with_context(Deliveries(logs.clone()));
    let client: Arc<BaseProducer<_>> = Arc::new(client.map_err(|error| client::refused(&error))?);
    let polled = Arc::downgrade(&client);
    let poll = move || {
        while let Some(client) = polled.upgrade() {
            client.poll(POLL);
        }
    };
    let polling = std::thread::Builder::new().name("kafka-producer".into()).spawn(poll);
    polling.map_err(|error| BusError::unavailable("start the polling thread", error))?;
    Ok(client)
}

fn kafka_record<'a>(record: &'a Record, call: &Arc<Call>) -> BaseRecord<'a, [u8], [u8], Arc<Call>> {
    let mut produced = BaseRecord::with_opaque_to(&record.topic, call.clone());
    produced.key = record.key.as_deref();
    produced.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers =
            record.headers.iter().fold(headers, |all, (key, value)| all.insert(Header { key, value }));
        produced.headers = Some(headers);
    }
    produced
}

/// One call of `send`, shared by its records: the last confirmation answers it.
pub(super) struct Call(Mutex<Unconfirmed>);

struct Unconfirmed {
    records: usize,
    failure: Option<BusError>,
    answer: Option<oneshot::Sender<Result<(), BusError>>>,
}

impl Call {
    fn new(records: usize) -> (Arc<Self>, oneshot::Receiver<Result<(), BusError>>) {
        let (answer, confirmed) = oneshot::channel();
        let unconfirmed = Unconfirmed { records, failure: None, answer: Some(answer) };
        (Arc::new(Self(Mutex::new(unconfirmed))), confirmed)
    }

    fn confirm(&self, outcome: Result<(), BusError>) {
        self.settle(1, outcome);
    }

    /// Notes that the last `records` were never handed over.
    fn give_up(&self, records: usize, failure: BusError) {
        self.settle(records, Err(failure));
    }

    fn settle(&self, records: usize, outcome: Result<(), BusError>) {
        let mut call = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        call.records = call.records.saturating_sub(records);
        if let Err(error) = outcome {
            call.failure.get_or_insert(error);
        }
        if call.records == 0
            && let Some(answer) = call.answer.take()
        {
            // The caller may have gone.
            let _ = answer.send(call.failure.take().map_or(Ok(()), Err));
        }
    }
}

/// Receives the confirmations, on the thread that polls the client.
pub(super) struct Deliveries(Logs);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Call>;

    fn delivery(&self, result: &DeliveryResult<'_>, call: Arc<Call>) {
        call.confirm(match result {
            Ok(_) => {
                self.0.refusal.clear();
                Ok(())
            }
            Err((error, _)) => Err(match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    BusError::TooLarge { topic: String::new(), size: 0, limit: 0 }
                }
                _ => self.0.refusal.explain("produce", error),
            }),
        });
    }
}
