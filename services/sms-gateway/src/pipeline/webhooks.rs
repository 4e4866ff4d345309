//! Sends each client's statuses to the receivers that are configured for it: in their order, one a request, each receiver on
//! its own.
//!
//! Nothing is copied: a receiver has a place in the table of statuses, which moves on when it has taken one. A crash between
//! the answer and that sends a status again, under the same id.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::{ClientId, SmsStatus};
use db::Backend;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use webhook::{Message, Sender, SenderFault, Target, TargetFault, Verdict};

use super::Gateway;
use crate::settings::Settings;
use crate::store::rows::StatusRow;
use crate::store::webhooks::{self, Cursor};
use crate::store::{StoreError, statuses};

/// Other instances write statuses, too; those wake nobody here.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is counted what waits.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Statuses that are read at once.
const PAGE: i64 = 100;

/// Why webhooks cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookFault {
    /// A receiver cannot be used.
    #[error("webhooks: {0}")]
    Target(#[from] TargetFault),
    /// Nothing can be sent.
    #[error("webhook_delivery: {0}")]
    Sender(#[from] SenderFault),
}

/// One receiver.
pub(crate) struct Webhook {
    target: Target,
    client: ClientId,
    sender: Sender,
}

impl Webhook {
    /// Makes the receivers of the settings.
    ///
    /// # Errors
    /// [`WebhookFault`].
    pub(crate) fn all(settings: &Settings) -> Result<Vec<Self>, WebhookFault> {
        if settings.webhooks.is_empty() {
            return Ok(Vec::new());
        }
        let delivery = &settings.webhook_delivery;
        let targets = settings.webhooks.iter().map(|hook| hook.target(delivery.allow_http));
        let targets = targets.collect::<Result<Vec<_>, TargetFault>>()?;
        let sender = Sender::new(delivery, &targets)?;
        let all = targets.into_iter().zip(&settings.webhooks);
        Ok(all
            .map(|(target, hook)| Self { target, client: hook.client.clone(), sender: sender.clone() })
            .collect())
    }
}

/// A status as a receiver reads it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Body<'a> {
    /// The event's id, as in `webhook-id`: the same whenever it is sent again.
    event_id: &'a str,
    /// The request that it is of, by client and correlation id.
    message_id: String,
    /// Number among the client's statuses: one that is behind what is known already is old.
    seq: i64,
    /// As the timestamp, in milliseconds since 1970.
    occurred_at: UnixMillis,
    #[serde(flatten)]
    status: SmsStatus,
}

/// Names a status for receivers. Client ids may be of any letters, headers not.
fn event_id(row: &StatusRow) -> String {
    let hash = hex::encode(digest(&SHA256, row.client_id.as_str().as_bytes()));
    format!("status_{}_{}", hash.get(..16).unwrap_or_default(), row.seq)
}

fn message(row: &StatusRow) -> Result<Message, StoreError> {
    let (id, status) = (event_id(row), SmsStatus::from(row));
    let body =
        Body { event_id: &id, message_id: status.key(), seq: row.seq, occurred_at: row.produced_at, status };
    let body = serde_json::to_vec(&body).map_err(StoreError::unreadable)?;
    Ok(Message { id, body, trace: row.trace() })
}

/// Tells one receiver until cancelled.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    webhook: Webhook,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let teller = Teller { gateway, webhook };
    while let Err(error) = teller.begin().await {
        tracing::warn!(%error, "a webhook cannot begin now; trying again");
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    let mut news = teller.gateway.announcer.news();
    let mut looking =
        tokio::time::interval(LOOK_EVERY.min(teller.gateway.settings.webhook_delivery.first_pause));
    looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut counting = tokio::time::interval(COUNT_EVERY);
    loop {
        let serving = async {
            tokio::select! {
                _ = news.changed() => {}
                _ = looking.tick() => {}
                _ = counting.tick() => teller.count().await,
            }
            teller.serve().await
        };
        let served = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            served = serving => served,
        };
        match served {
            Ok(true) => {}
            Ok(false) => {
                cancel.cancelled().await;
                return Ok(());
            }
            Err(error) => tracing::warn!(%error, "statuses could not be told; trying again"),
        }
    }
}

struct Teller {
    gateway: Arc<Gateway>,
    webhook: Webhook,
}

impl Teller {
    fn name(&self) -> &str {
        self.webhook.target.name()
    }

    async fn begin(&self) -> Result<(), StoreError> {
        let (name, client, now) = (self.name().to_owned(), self.webhook.client.clone(), self.gateway.now());
        // A file of SQLite has one process: what the one before had to itself when it was killed is free.
        let alone = self.gateway.db.backend() == Backend::Sqlite;
        let beginning = self.gateway.db.write(move |conn| {
            webhooks::begin(conn, &name, &client, now)?;
            if alone { webhooks::hasten(conn, &name, now) } else { Ok(()) }
        });
        self.gateway.metrics.webhook_stopped.with_label_values(&[self.name()]).set(0);
        beginning.await
    }

    /// Longer than a request takes. Clocks that differ by more cost a status that comes twice.
    fn lease(&self, now: UnixMillis) -> UnixMillis {
        now + self.gateway.settings.webhook_delivery.timeout * 3
    }

    /// Sends what there is, if the receiver is due and nobody else is at it; false: it wants nothing any more.
    async fn serve(&self) -> Result<bool, StoreError> {
        let (name, client, now) = (self.name().to_owned(), self.webhook.client.clone(), self.gateway.now());
        let until = self.lease(now);
        let (count, _) = self.gateway.db.read(move |conn| webhooks::waiting(conn, &name, &client)).await?;
        if count == 0 {
            return Ok(true);
        }
        let name = self.name().to_owned();
        let claiming = self.gateway.db.write(move |conn| webhooks::claim(conn, &name, now, until));
        let Some(mut cursor) = claiming.await? else { return Ok(true) };
        loop {
            let (client, seq) = (self.webhook.client.clone(), cursor.seq);
            let rows = self.gateway.db.read(move |conn| statuses::since(conn, &client, seq, PAGE)).await?;
            if rows.is_empty() {
                let now = self.gateway.now();
                let done = self.gateway.db.write(move |conn| webhooks::postpone(conn, &cursor, 0, now));
                return done.await.map(|()| true);
            }
            for row in rows {
                match self.tell(&mut cursor, &row).await? {
                    Told::On => {}
                    Told::Later => return Ok(true),
                    Told::Gone => return Ok(false),
                }
            }
        }
    }

    async fn tell(&self, cursor: &mut Cursor, row: &StatusRow) -> Result<Told, StoreError> {
        let settings = &self.gateway.settings.webhook_delivery;
        let now = self.gateway.now();
        if row.produced_at <= now - settings.max_age {
            tracing::warn!(webhook = self.name(), seq = row.seq, "a status was told in vain for too long");
            return self.skip(cursor, row, "age").await;
        }
        let verdict = self.webhook.sender.send(&self.webhook.target, message(row)?, now).await;
        let outcome = match verdict {
            Verdict::Taken => "delivered",
            Verdict::Gone => "gone",
            Verdict::Later(_) => "retried",
            Verdict::Refused(_) => "refused",
        };
        self.gateway.metrics.webhook_requests_total.with_label_values(&[self.name(), outcome]).inc();
        if let Some(trace) = row.trace() {
            telemetry::follow!(
                trace,
                webhook = self.name(),
                seq = row.seq,
                outcome,
                "a receiver was told of a status"
            );
        }
        match verdict {
            Verdict::Taken => self.advance(cursor, row).await,
            Verdict::Refused(status) => {
                tracing::warn!(webhook = self.name(), seq = row.seq, status, "a receiver refused a status");
                self.skip(cursor, row, "refused").await
            }
            Verdict::Later(pause) => {
                let pause = pause.unwrap_or_else(|| settings.backoff().pause(cursor.attempts));
                self.postpone(cursor, self.gateway.now() + pause).await?;
                Ok(Told::Later)
            }
            Verdict::Gone => {
                tracing::error!(
                    webhook = self.name(),
                    "the receiver wants no statuses (410): this process sends none until it is started again"
                );
                self.gateway.metrics.webhook_stopped.with_label_values(&[self.name()]).set(1);
                self.postpone(cursor, self.gateway.now()).await?;
                Ok(Told::Gone)
            }
        }
    }

    async fn skip(&self, cursor: &mut Cursor, row: &StatusRow, reason: &str) -> Result<Told, StoreError> {
        let told = self.advance(cursor, row).await?;
        if told == Told::On {
            self.gateway.metrics.webhook_skipped_total.with_label_values(&[self.name(), reason]).inc();
        }
        Ok(told)
    }

    /// Moves on behind a status, if the receiver is ours still.
    async fn advance(&self, cursor: &mut Cursor, row: &StatusRow) -> Result<Told, StoreError> {
        // A claim differs from the one before it, however quick the receiver is.
        let until = self.lease(self.gateway.now()).max(cursor.due_at + Duration::from_millis(1));
        let (held, seq) = (cursor.clone(), row.seq);
        let moving = self.gateway.db.write(move |conn| webhooks::advance(conn, &held, seq, until));
        if !moving.await? {
            return Ok(Told::Later);
        }
        (cursor.seq, cursor.attempts, cursor.due_at) = (seq, 0, until);
        Ok(Told::On)
    }

    async fn postpone(&self, cursor: &Cursor, due_at: UnixMillis) -> Result<(), StoreError> {
        let held = cursor.clone();
        let attempts = held.attempts.saturating_add(1);
        self.gateway.db.write(move |conn| webhooks::postpone(conn, &held, attempts, due_at)).await
    }

    async fn count(&self) {
        let (name, client) = (self.name().to_owned(), self.webhook.client.clone());
        let counting = self.gateway.db.read(move |conn| {
            let (count, seq) = webhooks::waiting(conn, &name, &client)?;
            let oldest = statuses::since(conn, &client, seq, 1)?.pop().map(|row| row.produced_at);
            Ok::<_, StoreError>((count, oldest))
        });
        match counting.await {
            Ok((count, oldest)) => {
                let (name, metrics) = (&[self.name()], &self.gateway.metrics);
                let age = oldest.map_or(0, |at| (self.gateway.now().as_i64() - at.as_i64()) / 1000);
                metrics.webhook_backlog.with_label_values(name).set(count);
                metrics.webhook_oldest_seconds.with_label_values(name).set(age.max(0));
            }
            Err(error) => tracing::warn!(%error, "what waits for a webhook cannot be counted now"),
        }
    }
}

/// How it goes on after a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    On,
    /// It has to wait, or somebody else is at it.
    Later,
    /// The receiver wants nothing any more.
    Gone,
}

#[cfg(test)]
mod tests {
    use common::models::sms::SmsState;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_status_has_the_form_of_the_bus_and_its_number() {
        let row = StatusRow {
            client_id: "größe".into(),
            seq: 7,
            correl_id: "c-1".into(),
            status: SmsState::Sent,
            recall_id: None,
            error_text: None,
            simulated: true,
            produced_at: UnixMillis(1_767_225_600_123),
            possible_duplicate: false,
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        };

        let Message { id, body, trace } = message(&row).unwrap();

        assert!(id.is_ascii() && id.ends_with("_7"), "{id}");
        assert_eq!(trace, row.trace());
        let expected = json!({
            "event-id": id,
            "message-id": "größe:c-1",
            "seq": 7,
            "occurred-at": 1_767_225_600_123_i64,
            "client-id": "größe",
            "correl-id": "c-1",
            "timestamp": "2026-01-01T00:00:00Z",
            "sms-status": "SENT",
            "simulated": true,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
