//! Messages from handsets of which parts do not come: their owners get what there is. And what may be forgotten.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::pipeline::Gateway;
use crate::store::inbound::{Fate, Task};
use crate::store::{StoreError, inbound};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// Runs until cancelled.
pub(crate) async fn run(gateway: Arc<Gateway>, cancel: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pruned_at: Option<Instant> = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = close(&gateway).await {
            tracing::warn!(%error, "parts of messages from handsets cannot be looked through now");
        }
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            pruned_at = Some(Instant::now());
            prune(&gateway).await;
        }
    }
}

async fn close(gateway: &Gateway) -> Result<(), StoreError> {
    let before = gateway.now() - gateway.settings.inbound_join_timeout;
    let overdue = gateway.db.read(move |conn| inbound::overdue(conn, before)).await?;
    let tasks = overdue.into_iter().map(|name| Task::Close(name, before)).collect();
    let mut published = false;
    for taken in gateway.inbound.submit_many(tasks).await {
        let fate = taken?.fate;
        published |= fate == Fate::Published;
        if !matches!(fate, Fate::Gone | Fate::Keyless) {
            gateway.metrics.inbound_overdue_total.with_label_values(&[fate.as_str()]).inc();
        }
    }
    if published {
        gateway.announcer.wake();
    }
    Ok(())
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
