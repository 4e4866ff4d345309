//! Compares the websockets of this process with their mailboxes, for hints that were lost: now and then, and every few
//! seconds while the broker that carries hints between processes is away.
//!
//! A bounded number of statements for all sockets, where a timer in each would be one statement a socket.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::Sockets;
use crate::app::State;
use crate::domain::{MailboxError, MailboxId};
use crate::store::rows::SocketRow;
use crate::store::sockets;

/// Mailboxes of one statement.
const STRIDE: usize = 1000;

/// How often it is asked whether the broker is there.
const GLANCE: Duration = Duration::from_millis(500);

/// Walks until `cancel`.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut waited = Duration::ZERO;
    loop {
        let glance = GLANCE.min(state.settings.recheck).min(state.settings.recheck_away);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = state.sockets.patrol_asked() => waited = Duration::MAX,
            () = tokio::time::sleep(glance) => waited = waited.saturating_add(glance),
        }
        let settings = &state.settings;
        let due = if state.live.is_connected() { settings.recheck } else { settings.recheck_away };
        if waited < due {
            continue;
        }
        waited = Duration::ZERO;
        if let Err(error) = walk(&state).await {
            tracing::warn!(%error, "websockets could not be compared with their mailboxes; trying again later");
        }
    }
}

/// Looks at every mailbox that has a socket here, once, and ends the claims that could not be ended before.
async fn walk(state: &State) -> Result<(), MailboxError> {
    resolve_doubted(state).await?;
    end_owed(state).await?;
    let mut from = None;
    loop {
        let (ids, last) = state.sockets.after(from, STRIDE);
        if ids.is_empty() {
            return Ok(());
        }
        let wanted = ids.clone();
        let rows = state.db.read(move |conn| sockets::find(conn, &wanted)).await?;
        let lost = compare(&state.sockets, state.presence.process(), &ids, rows);
        let renewed = join_all(lost.into_iter().map(|(id, claim)| state.presence.renew(id, claim)));
        renewed.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        from = last;
    }
}

/// Finds out which claims were stored although their connections never heard of it: nobody else would end them.
async fn resolve_doubted(state: &State) -> Result<(), MailboxError> {
    let doubted = state.sockets.take_doubted();
    for (position, ids) in doubted.chunks(STRIDE).enumerate() {
        let wanted = ids.to_vec();
        let rows = match state.db.read(move |conn| sockets::find(conn, &wanted)).await {
            Ok(rows) => rows,
            Err(error) => {
                let rest = doubted.iter().skip(position * STRIDE);
                rest.for_each(|id| state.sockets.doubt(*id));
                return Err(MailboxError::from(error));
            }
        };
        let own = |row: &SocketRow| row.socket_process.as_deref() == Some(&**state.presence.process());
        for row in rows.into_iter().filter(own) {
            let id = row.id();
            match state.sockets.claim_of(id) {
                // It may be the claim of a connection that is just being told of it.
                Some(0) => state.sockets.doubt(id),
                Some(claim) if claim == row.socket_claim => {}
                _ => state.sockets.owe(id, row.socket_claim),
            }
        }
    }
    Ok(())
}

/// Ends the claims that are owed. After one that cannot be ended, the others are owed still.
async fn end_owed(state: &State) -> Result<(), MailboxError> {
    let mut owed = state.sockets.take_owed().into_iter();
    while let Some((id, claim)) = owed.next() {
        match state.presence.leave(id, claim).await {
            Ok(true) => state.relay.wake(),
            Ok(false) => {}
            Err(error) => {
                state.sockets.owe(id, claim);
                owed.for_each(|(id, claim)| state.sockets.owe(id, claim));
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Tells the connections what has changed; returns the claims that others took for dead.
fn compare(
    sockets: &Sockets,
    process: &str,
    ids: &[MailboxId],
    rows: Vec<SocketRow>,
) -> Vec<(MailboxId, i64)> {
    let rows: HashMap<MailboxId, SocketRow> = rows.into_iter().map(|row| (row.id(), row)).collect();
    let mut lost = Vec::new();
    for id in ids {
        let row = rows.get(id);
        let holder = row.and_then(|row| row.socket_process.as_deref());
        // The connection finds out what it is: envelopes, another life of the device, or none.
        if row.is_none_or(|row| row.envelope_count > 0) || holder.is_some_and(|holder| holder != process) {
            sockets.tell_to_look(*id);
        }
        let Some(row) = row else { continue };
        sockets.tell_of_claim(*id, row.socket_claim);
        if holder.is_none() && sockets.claim_of(*id) == Some(row.socket_claim) {
            lost.push((*id, row.socket_claim));
        }
    }
    lost
}
