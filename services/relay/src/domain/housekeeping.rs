//! What time alone changes: modems that are gone, SMS that cannot come again, queues of revoked clients, gauges.

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::RelayError;
use crate::app::State;
use crate::store::{incoming, seeds};

/// Sweeps regularly, in bounded batches.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(state.settings.sweep_every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            swept = sweep(&state) => {
                if let Err(error) = swept {
                    tracing::warn!(%error, "what has expired could not be removed; trying again later");
                }
            }
        }
    }
}

async fn sweep(state: &State) -> Result<(), RelayError> {
    let (db, settings, now) = (&state.db, &state.settings, state.clock.now());
    let (limit, full) = (i64::from(settings.sweep_batch), settings.sweep_batch as usize);
    let gone = now - settings.seed_retention;
    while db.write(move |conn| seeds::prune(conn, gone, limit)).await? >= full {}
    let passed = now - settings.dedupe_window;
    while db.write(move |conn| incoming::prune(conn, passed, limit)).await? >= full {}
    let counts = db.read(incoming::counts).await?;
    state.metrics.incoming_waiting.set(counts.waiting);
    state.metrics.incoming_dead.set(counts.dead);
    if let Some(broker) = &state.broker {
        // While the broker is away its own task tells so.
        let _ = broker.retire().await;
    }
    Ok(())
}
