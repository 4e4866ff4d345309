//! Sends what waits for one receiver: several channels at once, each in its order, no transaction open while the receiver
//! is spoken to.
//!
//! A crash between an answer and the row's end sends an event again, under the same id. What cannot be sent is tried again,
//! ever less often, or when the receiver says, until its time has passed.

use std::time::Duration;

use common::models::UnixMillis;
use db::Backend;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webhook::{Message, Verdict};

use super::{Hook, Webhooks};
use crate::app::State;
use crate::domain::NotifyError;
use crate::store::webhooks::EventRow;
use crate::store::webhooks::delivery::{self, Claim, Step};

/// How often the table is looked at when nobody calls.
const PERIOD: Duration = Duration::from_millis(500);

/// How often it is counted what waits.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// One receiver's worker.
#[derive(Clone)]
struct Worker {
    state: State,
    webhooks: Webhooks,
    index: usize,
}

/// Tells all receivers, each on its own, until `cancel`.
pub(crate) async fn run(state: State, webhooks: Webhooks, cancel: CancellationToken) {
    let mut workers = JoinSet::new();
    for index in 0..webhooks.0.hooks.len() {
        let worker = Worker { state: state.clone(), webhooks: webhooks.clone(), index };
        let cancel = cancel.clone();
        workers.spawn(async move {
            if let Some(hook) = worker.webhooks.0.hooks.get(worker.index) {
                worker.run(hook, cancel).await;
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

impl Worker {
    async fn run(&self, hook: &Hook, cancel: CancellationToken) {
        self.start(hook).await;
        let mut timer = tokio::time::interval(PERIOD);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut counting = tokio::time::interval(COUNT_EVERY);
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = hook.wanted.notified() => {}
                Some(_) = running.join_next() => {}
                _ = timer.tick() => {}
                _ = counting.tick() => self.count(hook).await,
            }
            if let Err(error) = self.begin(hook, &mut running).await {
                tracing::warn!(%error, "what waits for a webhook could not be read; trying again");
            }
        }
    }

    /// Forgets that the receiver wanted no events: somebody may have seen to it.
    async fn start(&self, hook: &Hook) {
        let (name, now) = (hook.target.name().to_owned(), self.webhooks.now());
        // A file of SQLite has one process: what the one before had to itself when it was killed is free.
        let alone = self.state.db.backend() == Backend::Sqlite;
        let starting = self.state.db.write(move |conn| {
            delivery::start(conn, &name)?;
            if alone { delivery::hasten(conn, &name, now) } else { Ok(()) }
        });
        if let Err(error) = starting.await {
            tracing::warn!(%error, "a webhook that was stopped, or a claim of a killed process, stays so for now");
        }
        self.webhooks.0.metrics.webhook_stopped.with_label_values(&[hook.target.name()]).set(0);
    }

    /// Claims the queues that there is room for, and begins with them.
    async fn begin(&self, hook: &Hook, running: &mut JoinSet<()>) -> Result<(), NotifyError> {
        let room = self.state.settings.webhook_delivery.concurrent.saturating_sub(running.len());
        if room == 0 {
            return Ok(());
        }
        let (name, now) = (hook.target.name().to_owned(), self.webhooks.now());
        let (until, limit) = (self.lease(now), i64::try_from(room).unwrap_or(i64::MAX));
        let claims = self.state.db.write(move |conn| delivery::claim(conn, &name, now, until, limit)).await?;
        for claim in claims {
            let worker = self.clone();
            running.spawn(async move {
                let Some(hook) = worker.webhooks.0.hooks.get(worker.index) else { return };
                if let Err(error) = worker.serve(hook, claim).await {
                    tracing::warn!(%error, "an event could not be finished; it is sent again");
                }
            });
        }
        Ok(())
    }

    /// Longer than a request takes. Clocks that differ by more cost an event that comes twice.
    fn lease(&self, now: UnixMillis) -> UnixMillis {
        now + self.state.settings.webhook_delivery.timeout * 3
    }

    /// Sends what one queue has, until it is empty, has to wait, or is somebody else's.
    async fn serve(&self, hook: &Hook, mut claim: Claim) -> Result<(), NotifyError> {
        let mut done = None;
        while let Some(event) = self.advance(hook, &mut claim, done.take()).await? {
            let (id, body) = (event.event_id.clone(), event.body.clone().into_bytes());
            let message = Message { id, body, trace: None };
            let verdict = self.webhooks.0.sender.send(&hook.target, message, self.webhooks.now()).await;
            self.tell(hook, verdict);
            match verdict {
                Verdict::Taken | Verdict::Refused(_) => done = Some(event),
                Verdict::Later(pause) => {
                    let backoff = self.state.settings.webhook_delivery.backoff();
                    let pause = pause.unwrap_or_else(|| backoff.pause(claim.attempts));
                    let due_at = self.webhooks.now() + pause;
                    return Ok(self
                        .state
                        .db
                        .write(move |conn| delivery::postpone(conn, &claim, due_at))
                        .await?);
                }
                Verdict::Gone => {
                    let (name, now) = (claim.webhook, self.webhooks.now());
                    return Ok(self.state.db.write(move |conn| delivery::stop(conn, &name, now)).await?);
                }
            }
        }
        Ok(())
    }

    /// Goes on to the next event of a queue that is ours still.
    async fn advance(
        &self,
        hook: &Hook,
        claim: &mut Claim,
        done: Option<EventRow>,
    ) -> Result<Option<EventRow>, NotifyError> {
        let now = self.webhooks.now();
        // A claim differs from the one before it, however quick the receiver is.
        let until = self.lease(now).max(claim.due_at + Duration::from_millis(1));
        let oldest = now - self.state.settings.webhook_delivery.max_age;
        let (held, sent) = (claim.clone(), done.is_some());
        let advancing = self
            .state
            .db
            .write(move |conn| delivery::advance(conn, &held, &Step { done: done.as_ref(), until, oldest }));
        let Some(next) = advancing.await? else { return Ok(None) };
        if next.dropped > 0 {
            let reason = &[hook.target.name(), "age"];
            let dead = self.webhooks.0.metrics.webhook_dead_total.with_label_values(reason);
            dead.inc_by(next.dropped.unsigned_abs());
        }
        claim.due_at = until;
        if sent {
            claim.attempts = 0;
        }
        Ok(next.event)
    }

    /// Counts an answer, and tells the operator what only they can mend.
    fn tell(&self, hook: &Hook, verdict: Verdict) {
        let (name, metrics) = (hook.target.name(), &self.webhooks.0.metrics);
        let outcome = match verdict {
            Verdict::Taken => "delivered",
            Verdict::Later(_) => "retried",
            Verdict::Refused(status) => {
                tracing::warn!(webhook = name, status, "a receiver refused an event, which is dropped");
                metrics.webhook_dead_total.with_label_values(&[name, "refused"]).inc();
                "refused"
            }
            Verdict::Gone => {
                tracing::error!(
                    webhook = name,
                    "the receiver wants no events (410): none are sent until this process is started again"
                );
                metrics.webhook_stopped.with_label_values(&[name]).set(1);
                "gone"
            }
        };
        metrics.webhook_requests_total.with_label_values(&[name, outcome]).inc();
    }

    async fn count(&self, hook: &Hook) {
        let name = hook.target.name().to_owned();
        match self.state.db.read(move |conn| delivery::waiting(conn, &name)).await {
            Ok((count, oldest)) => {
                let (name, metrics) = (&[hook.target.name()], &self.webhooks.0.metrics);
                let age = oldest.map_or(0, |at| (self.webhooks.now().as_i64() - at.as_i64()) / 1000);
                metrics.webhook_backlog.with_label_values(name).set(count);
                metrics.webhook_oldest_seconds.with_label_values(name).set(age.max(0));
            }
            Err(error) => tracing::warn!(%error, "what waits for a webhook could not be counted"),
        }
    }
}
