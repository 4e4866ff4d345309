//! What time alone removes: sessions that nobody has finished, addresses that nobody has written to.

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::error::SyncError;
use super::provisioning;
use crate::app::State;
use crate::store::sessions;

/// Removes what has expired, regularly, in bounded batches.
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

async fn sweep(state: &State) -> Result<(), SyncError> {
    let (now, batch) = (state.clock.now(), state.settings.sweep_batch);
    loop {
        let removed = state.db.write(move |conn| sessions::prune(conn, now, batch.into())).await?;
        state.metrics.expired_total.inc_by(removed as u64);
        if removed < batch as usize {
            break;
        }
    }
    Ok(provisioning::sweep(state, now).await?)
}
