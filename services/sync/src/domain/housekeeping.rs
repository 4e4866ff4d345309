//! What time alone removes: sessions that nobody has finished, devices whose time is over, addresses
//! that nobody has written to.

use super::error::SyncError;
use super::provisioning;
use crate::app::State;
use crate::store::{devices, sessions};

/// Removes everything that has expired by now, in bounded batches.
pub(crate) async fn sweep(state: State) -> Result<(), SyncError> {
    let (now, batch) = (state.clock.now(), state.settings.sweep_batch);
    loop {
        let removed = state.db.write(move |conn| sessions::prune(conn, now, batch.into())).await?;
        state.metrics.expired_total.inc_by(removed as u64);
        if removed < batch as usize {
            break;
        }
    }
    if let Some(before) = state.settings.device_ttl.before(now) {
        while state.db.write(move |conn| devices::OLD.prune(conn, before, batch.into())).await?
            >= batch as usize
        {}
    }
    Ok(provisioning::sweep(&state, now).await?)
}
