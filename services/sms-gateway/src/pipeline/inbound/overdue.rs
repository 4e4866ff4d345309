//! Messages from handsets of which parts do not come: their owners get what there is. And what may be forgotten.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::pipeline::Gateway;
use crate::store::inbound::{Fate, Incomplete, Task};
use crate::store::{StoreError, inbound};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often it is said that owners have no key.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Runs until cancelled.
pub(crate) async fn run(gateway: Arc<Gateway>, cancel: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pruned_at: Option<Instant> = None;
    let mut closing = Closing::default();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = closing.round(&gateway).await {
            tracing::warn!(%error, "parts of messages from handsets cannot be looked through now");
        }
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            pruned_at = Some(Instant::now());
            prune(&gateway).await;
        }
    }
}

/// A walk over the messages that are overdue, round by round: those whose owner has no key stay, however many there are,
/// and keep those behind them from nothing.
#[derive(Default)]
struct Closing {
    /// The last one that was looked at.
    after: Option<Incomplete>,
    /// How many of this walk wait for a key.
    keyless: usize,
    said_at: Option<Instant>,
}

impl Closing {
    async fn round(&mut self, gateway: &Gateway) -> Result<(), StoreError> {
        let before = gateway.now() - gateway.settings.inbound_join_timeout;
        let after = self.after.clone();
        let overdue = gateway.db.read(move |conn| inbound::overdue(conn, before, after.as_ref())).await?;
        let (is_last, last) = (overdue.len() < inbound::ROUND, overdue.last().cloned());
        let tasks = overdue.into_iter().map(|(_, name)| Task::Close(name, before)).collect();
        let mut published = false;
        for taken in gateway.inbound.submit_many(tasks).await {
            let fate = taken?.fate;
            published |= fate == Fate::Published;
            match fate {
                Fate::Gone => {}
                Fate::Keyless => self.keyless += 1,
                fate => gateway.metrics.inbound_overdue_total.with_label_values(&[fate.as_str()]).inc(),
            }
        }
        if published {
            gateway.announcer.wake();
        }
        self.after = last;
        if is_last {
            self.end_walk();
        }
        Ok(())
    }

    fn end_walk(&mut self) {
        let Self { keyless: messages, said_at, .. } = std::mem::take(self);
        self.said_at = said_at;
        if messages > 0 && said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            tracing::error!(messages, "parts of messages from handsets wait: their owners have no key");
        }
    }
}

async fn prune(gateway: &Gateway) {
    let now = gateway.now();
    let (repeats, retention) = (now - gateway.settings.inbound_repeats, now - gateway.settings.retention);
    match gateway.db.write(move |conn| inbound::prune(conn, repeats, retention)).await {
        Ok(0) => {}
        Ok(rows) => tracing::debug!(rows, "old rows of messages from handsets removed"),
        Err(error) => tracing::warn!(%error, "old rows cannot be removed now"),
    }
}
