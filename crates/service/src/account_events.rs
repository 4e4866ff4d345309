//! The consumer of `account-events` that every service has, and the nudge that runs ahead of it.
//!
//! Both end in the same place: the gate and all pods learn what is revoked, then the service's own handler applies the
//! event. It may see an event twice (nudge and bus) and late, so it is idempotent.

use std::sync::Arc;

use actix_web::{HttpResponse, web as actix};
use async_trait::async_trait;
use bus::worker::{Handler, Outcome, Worker, WorkerMetrics};
use bus::{Delivered, Record, record, topics};
use clients::Nudger;
use common::models::AsProblem;
use common::models::events::{AccountEvent, EventError};
use telemetry::{RequestContext, TraceContext};
use uuid::Uuid;
use web::{Failure, InternalCaller, Json, RoutesFn, Service, Task};

use crate::error::StartError;
use crate::platform::Platform;

/// What a service does about account events. Idempotent: an event arrives at least once.
#[async_trait]
pub trait AccountEvents: Send + Sync + 'static {
    /// What can go wrong. Every error is taken as passing: the event is tried again.
    type Error: AsProblem + Send + Sync + 'static;

    /// Makes the event true for the tables of this service; an event that does not concern them is `Ok`.
    ///
    /// # Errors
    /// Whatever keeps it from doing so now.
    async fn apply(&self, event: &AccountEvent) -> Result<(), Self::Error>;
}

/// Adds the consumer (group: the service's name) and `POST /internal/<service>/v1/nudge` to the internal routes that `service` has by now.
///
/// # Errors
/// [`StartError::Metrics`] when called twice for one service.
pub fn handle_account_events<H: AccountEvents>(
    service: &mut Service,
    platform: &Platform,
    handler: Arc<H>,
) -> Result<(), StartError> {
    let inbox = Arc::new(Inbox { platform: platform.clone(), handler });
    let metrics = WorkerMetrics::register(&service.metrics, "account-events")?;
    let worker = Worker::new(&platform.bus, service.name, &[topics::ACCOUNT_EVENTS]).metrics(metrics);
    let records = Arc::clone(&inbox);
    service
        .tasks
        .push(Task::new("account-events", move |cancel| async move { worker.run(&*records, cancel).await }));
    service.internal = with_nudge(service, inbox);
    Ok(())
}

/// The service's internal routes and the nudge.
fn with_nudge<H: AccountEvents>(service: &Service, inbox: Arc<Inbox<H>>) -> RoutesFn {
    let path = format!("/internal/{}/v1/nudge", service.name);
    let before = Arc::clone(&service.internal);
    web::routes(move |config| {
        before(config);
        let inbox = Arc::clone(&inbox);
        let nudge = move |_: InternalCaller, Json(event): Json<AccountEvent>| {
            let inbox = Arc::clone(&inbox);
            async move {
                inbox.take(&event).await?;
                Ok::<_, Failure>(HttpResponse::NoContent().finish())
            }
        };
        config.route(&path, actix::post().to(nudge));
    })
}

/// The record that tells of `event`, for [`bus::outbox::push`]: keyed by the account, with schema, message id and the
/// trace of the request at hand.
///
/// # Errors
/// Those of JSON, which an event does not cause.
pub fn account_event_record(event: &AccountEvent) -> Result<Record, serde_json::Error> {
    let trace = RequestContext::current().map_or_else(TraceContext::random, |context| context.trace.child());
    Ok(Record::new(AccountEvent::TOPIC, event.account_id.to_string(), serde_json::to_vec(event)?)
        .header(record::SCHEMA, AccountEvent::SCHEMA)
        .header(record::MESSAGE_ID, Uuid::now_v7().to_string())
        .header(record::TRACEPARENT, trace.to_string()))
}

/// Tells of the events that a service has just committed, ahead of the bus.
#[derive(Clone, Debug)]
pub struct Announcer {
    platform: Platform,
    others: Nudger,
}

impl Announcer {
    /// The announcer of `service`.
    #[must_use]
    pub fn new(platform: &Platform, service: &str) -> Self {
        Self { platform: platform.clone(), others: platform.nudger.clone().without(service) }
    }

    /// Refuses the access tokens that `events` make void, here at once and in the other pods as soon as they hear of it,
    /// and nudges the services that must act on it. Call it after the events are committed.
    pub async fn announce(&self, events: &[AccountEvent]) {
        events.iter().for_each(|event| self.platform.take(event));
        for event in events {
            self.others.nudge(event).await;
        }
    }
}

struct Inbox<H> {
    platform: Platform,
    handler: Arc<H>,
}

impl<H: AccountEvents> Inbox<H> {
    async fn take(&self, event: &AccountEvent) -> Result<(), H::Error> {
        // First the tokens, which need no database: a revoked caller stays out even if the rest has to wait.
        self.platform.take(event);
        self.handler.apply(event).await
    }

    async fn outcome(&self, record: &Delivered) -> Outcome {
        match AccountEvent::decode(record.value.as_deref().unwrap_or_default()) {
            Ok(event) => match self.take(&event).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::retry(error.to_string()),
            },
            // A later release wrote it, and what it means has no place here yet.
            Err(EventError::UnknownType) => Outcome::Done,
            Err(error @ EventError::Malformed(_)) => Outcome::dead(error.to_string()),
        }
    }
}

#[async_trait]
impl<H: AccountEvents> Handler for Inbox<H> {
    /// One after the other, up to the first that has to wait: the events of an account keep their order.
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            let outcome = self.outcome(record).await;
            let waits = matches!(outcome, Outcome::Retry { .. });
            outcomes.push(outcome);
            if waits {
                break;
            }
        }
        outcomes
    }
}
