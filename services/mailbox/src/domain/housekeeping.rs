//! What time alone removes: envelopes nobody fetched, answers nobody asks for again, tickets nobody used,
//! memories of what is gone.

use super::batch::Job;
use super::error::MailboxError;
use super::{signal_server, woosh};
use crate::app::State;
use crate::store::signal_server::devices;
use crate::store::{envelopes, idempotency, mailboxes, tickets};

/// Removes everything that has expired by now, in bounded batches.
pub(crate) async fn sweep(state: State) -> Result<(), MailboxError> {
    let now = state.clock.now();
    let batch = state.settings.sweep_batch;
    let full = batch as usize;
    loop {
        let expired = state.db.read(move |conn| envelopes::expired(conn, now, batch.into())).await?;
        let found = expired.len();
        if found > 0 {
            let removed = state.writer.remove(Job::Remove(expired)).await?;
            state.metrics.envelopes_expired_total.inc_by(removed);
        }
        if found < full {
            break;
        }
    }
    woosh::expire(&state, now - state.settings.ttl).await?;
    signal_server::expire(&state, now - state.settings.ttl).await?;
    let old = now - state.settings.idempotency_ttl;
    while state.db.write(move |conn| idempotency::prune(conn, old, batch.into())).await? >= full {}
    while state.db.write(move |conn| tickets::prune(conn, now, batch.into())).await? >= full {}
    let forgotten = now - state.settings.tombstone_ttl;
    while state.db.write(move |conn| mailboxes::forget_buried(conn, forgotten, batch.into())).await? >= full {
    }
    while state.db.write(move |conn| devices::forget_buried(conn, forgotten, batch.into())).await? >= full {}
    Ok(())
}
