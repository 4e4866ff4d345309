//! What time alone removes: notifications nobody came back for, answers nobody asks for again, tokens, presence that is
//! not renewed, channels that are not used.

use super::error::NotifyError;
use crate::app::State;
use crate::store::{channels, history, publishing, subscriptions, tokens};
use crate::webhooks::pruning;

/// Removes everything that has expired by now, in bounded batches.
pub(crate) async fn sweep(state: State) -> Result<(), NotifyError> {
    let (db, settings, now) = (&state.db, &state.settings, state.clock.now());
    let (limit, full) = (i64::from(settings.sweep_batch), settings.sweep_batch as usize);
    loop {
        let removed = db.write(move |conn| history::expire(conn, now, limit)).await?;
        state.metrics.expired_total.inc_by(removed as u64);
        if removed < full {
            break;
        }
    }
    let old = now - settings.idempotency_ttl;
    let prune_keys =
        move |conn: &mut db::DbConn| publishing::prune_keys(conn, old, limit).map_err(db::DbError::from);
    while db.write(prune_keys).await? >= full {}
    while db.write(move |conn| tokens::prune(conn, now, limit)).await? >= full {}
    loop {
        let webhooks = state.webhooks.clone();
        let pruning = db.write(move |conn| pruning::presences(conn, webhooks.as_ref(), now, limit));
        if pruning.await? < full {
            break;
        }
    }
    if let Some(webhooks) = &state.webhooks {
        let oldest = now - settings.webhook_delivery.max_age * 2;
        webhooks.prune(db, oldest, settings.sweep_batch).await?;
    }
    while db.write(move |conn| subscriptions::prune(conn, now, limit)).await? >= full {}
    let idle = now - settings.channel_ttl;
    while db.write(move |conn| channels::forget_idle(conn, idle, limit)).await? >= full {}
    Ok(())
}
