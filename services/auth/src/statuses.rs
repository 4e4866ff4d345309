//! The consumer of `sms-status`: what the gateway says of the codes that were sent.

use async_trait::async_trait;
use bus::Delivered;
use bus::worker::{Handler, Outcome, Worker, WorkerMetrics};
use common::models::sms::{ClientId, SmsStatus};
use service::{Platform, StartError};
use web::{Service, Task};

use crate::app::State;
use crate::domain::phone;

/// Adds the consumer to the service, in the group `auth`.
///
/// # Errors
/// [`StartError::Metrics`] when called twice.
pub(crate) fn consume(
    service: &mut Service,
    platform: &Platform,
    state: State,
    client: ClientId,
) -> Result<(), StartError> {
    let metrics = WorkerMetrics::register(&service.metrics, "sms-status")?;
    let topic = state.settings.phone.status_topic.clone();
    let worker = Worker::new(&platform.bus, service.name, &[&topic]).metrics(metrics);
    let statuses = Statuses { state, client };
    service
        .tasks
        .push(Task::new("sms-status", move |cancel| async move { worker.run(&statuses, cancel).await }));
    Ok(())
}

struct Statuses {
    state: State,
    client: ClientId,
}

#[async_trait]
impl Handler for Statuses {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            // The topic is shared: what is of other clients, or of a form that is not known here, is not ours to judge.
            let status = serde_json::from_slice(record.value.as_deref().unwrap_or_default());
            let outcome = match status {
                Ok(status @ SmsStatus { .. })
                    if status.client_id == self.client && status.correl_id.is_storable() =>
                {
                    match phone::note_status(&self.state, &status).await {
                        Ok(()) => {
                            if let Some(trace) = record.trace() {
                                let status = status.sms_status.as_str();
                                telemetry::follow!(trace, status, "auth knows what became of a code");
                            }
                            Outcome::Done
                        }
                        Err(error) => Outcome::retry(error.to_string()),
                    }
                }
                Ok(_) | Err(_) => Outcome::Done,
            };
            let waits = matches!(outcome, Outcome::Retry { .. });
            outcomes.push(outcome);
            if waits {
                break;
            }
        }
        outcomes
    }
}
