//! What time alone changes: modems that are gone, SMS that cannot come again or were given up long ago, queues of revoked
//! clients, gauges.

use std::sync::atomic::Ordering;

use common::models::UnixMillis;
use db::{DbConn, DbError};

use super::RelayError;
use crate::app::State;
use crate::store::{clients, incoming, seeds};

/// Does what is due by now, in bounded batches.
pub(crate) async fn sweep(state: State) -> Result<(), RelayError> {
    let (db, settings, now) = (&state.db, &state.settings, state.clock.now());
    let (limit, full) = (i64::from(settings.sweep_batch), settings.sweep_batch as usize);
    let gone = now - settings.seed_retention;
    while db.write(move |conn| seeds::prune(conn, gone, limit)).await? >= full {}
    let passed = now - settings.dedupe_window;
    while db.write(move |conn| incoming::prune(conn, passed, limit)).await? >= full {}
    let kept = now - settings.dead_retention;
    loop {
        let lost = db.write(move |conn| incoming::prune_dead(conn, kept, limit)).await?;
        if lost > 0 {
            tracing::error!(
                sms = lost,
                "SMS that the publisher never took are removed: relay.dead_retention is over"
            );
        }
        if lost < full {
            break;
        }
    }
    let counts = db.read(incoming::counts).await?;
    state.waiting.store(counts.waiting, Ordering::Relaxed);
    state.metrics.incoming_waiting.set(counts.waiting);
    state.metrics.incoming_dead.set(counts.dead);
    match &state.broker {
        // While the broker is away its own task tells so.
        Some(broker) => drop(broker.retire().await),
        None => forget_revoked(&state, now - settings.revoked_retention).await?,
    }
    Ok(())
}

/// Without a broker there are no queues to be taken down first.
async fn forget_revoked(state: &State, before: UnixMillis) -> Result<(), RelayError> {
    let (limit, full) = (i64::from(state.settings.sweep_batch), state.settings.sweep_batch as usize);
    let forget = move |conn: &mut DbConn| {
        let revoked = clients::revoked(conn, before, limit)?;
        for client in &revoked {
            clients::forget(conn, *client)?;
        }
        Ok::<_, DbError>(revoked.len())
    };
    while state.db.write(forget).await? >= full {}
    Ok(())
}
