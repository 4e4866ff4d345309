//! What the bus brings: notifications of any producer, and wake-ups of mailboxes.
//!
//! A record is published once: its message id, or else its position, is the key under which it is. Its offset is stored
//! when it is in the table; what can never be published goes to the dead letters.

use async_trait::async_trait;
use bus::worker::{Handler, Outcome, Worker, WorkerMetrics};
use bus::{Delivered, record, topics};
use common::models::events::{EventError, MailboxEvent};
use common::models::notify::NotificationRecord;
use common::models::{AsProblem, Problem};
use serde_json::value::RawValue;
use service::{Platform, StartError};
use web::{Service, Task};

use crate::app::State;
use crate::domain::publish::{Publish, Receipt, publish_admitted};
use crate::domain::{ChannelName, NotifyError, read_object};
use crate::push::Wish;

/// Adds the consumers of `notify` and `mailbox-events`.
///
/// # Errors
/// [`StartError::Metrics`] when called twice for one service.
pub(crate) fn attach(service: &mut Service, platform: &Platform, state: &State) -> Result<(), StartError> {
    let inputs: [(&'static str, &'static str, Read); 2] = [
        (topics::NOTIFY, "notify-input", notification),
        (topics::MAILBOX_EVENTS, "notify-wake-ups", wake_up),
    ];
    for (topic, group, read) in inputs {
        let metrics = WorkerMetrics::register(&service.metrics, topic)?;
        let worker = Worker::new(&platform.bus, group, &[topic]).metrics(metrics);
        let input = Input { state: state.clone(), read };
        service.tasks.push(Task::new(topic, move |cancel| async move { worker.run(&input, cancel).await }));
    }
    Ok(())
}

/// What a record asks to publish; `Ok(None)`: nothing.
type Read = fn(&State, &Delivered) -> Result<Option<Publish>, String>;

struct Input {
    state: State,
    read: Read,
}

#[async_trait]
impl Handler for Input {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(records.len());
        let mut wanted = Vec::with_capacity(records.len());
        for record in records {
            outcomes.push(match (self.read)(&self.state, record) {
                Ok(Some(publish)) => {
                    wanted.push(Ok(publish));
                    None
                }
                Ok(None) => Some(Outcome::Done),
                Err(reason) => Some(Outcome::dead(reason)),
            });
        }
        let publisher = format!("bus:{}", records.first().map_or("", |record| &record.position.topic));
        let mut published = publish_admitted(&self.state, &publisher, wanted).await.into_iter();
        // Behind a record that has to wait, those of its partition wait too, and so keep their order; but for what is
        // published already, which a volatile one would be again with each try.
        let mut waiting = Vec::new();
        let outcomes = records.iter().zip(outcomes).map(|(record, outcome)| {
            let partition = record.position.partition;
            let outcome = outcome.unwrap_or_else(|| match published.next() {
                Some(Ok(receipt)) => {
                    follow(record, &receipt);
                    Outcome::Done
                }
                Some(Err(error)) => failed(&error),
                None => Outcome::retry("no answer"),
            });
            if waiting.contains(&partition) && !matches!(outcome, Outcome::Done) {
                return Outcome::retry("waits for one before it");
            }
            if matches!(outcome, Outcome::Retry { .. }) {
                waiting.push(partition);
            }
            outcome
        });
        outcomes.collect()
    }
}

/// Says in the log what has been published of a record, for whoever follows its request.
fn follow(record: &Delivered, receipt: &Receipt) {
    if telemetry::follows()
        && let Some(trace) = record.trace()
    {
        telemetry::follow!(
            trace,
            bus.topic = &*record.position.topic,
            bus.partition = record.position.partition,
            bus.offset = record.position.offset,
            notification.id = %receipt.id,
            notification.offset = receipt.place.map(|place| place.offset),
            "a record of the bus is published"
        );
    }
}

/// What can pass is tried again; what is wrong with the record itself is not.
fn failed(error: &NotifyError) -> Outcome {
    if error.kind().is_fault() {
        Outcome::retry(error.to_string())
    } else {
        Outcome::dead(Problem::of(error).slug())
    }
}

/// The name under which a record is published once.
fn name_of(record: &Delivered) -> String {
    match record.headers.get_str(record::MESSAGE_ID) {
        Some(id) if !id.is_empty() && id.len() <= 128 => id.to_owned(),
        _ => record.position.to_string(),
    }
}

fn notification(state: &State, record: &Delivered) -> Result<Option<Publish>, String> {
    let key = record.key.as_deref().ok_or("the key, which names the channel, is missing")?;
    let channel = std::str::from_utf8(key).map_err(|_| "the key, which names the channel, is not UTF-8")?;
    let channel =
        ChannelName::parse(channel, state.settings.max_channel_bytes).map_err(|error| error.to_string())?;
    let NotificationRecord { data, volatile } = read_object(record.bytes()).ok_or("not a notification")?;
    Ok(Some(Publish { channel, data, volatile, push: Wish::default(), key: Some(name_of(record)) }))
}

fn wake_up(_: &State, record: &Delivered) -> Result<Option<Publish>, String> {
    let event = match MailboxEvent::decode(record.bytes()) {
        Ok(event) => event,
        // A later release wrote it, and what it means has no place here yet.
        Err(EventError::UnknownType) => return Ok(None),
        Err(error @ EventError::Malformed(_)) => return Err(error.to_string()),
    };
    let channel = ChannelName::of_account(event.account_id);
    let data = RawValue::from_string(serde_json::to_string(&event).map_err(|error| error.to_string())?);
    let data = data.map_err(|error| error.to_string())?;
    Ok(Some(Publish { channel, data, volatile: false, push: Wish::default(), key: Some(name_of(record)) }))
}
