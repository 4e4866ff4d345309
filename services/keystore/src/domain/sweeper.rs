//! Ends what a crash, or a service that was away, left half done; forgets tombstones that have served.
//!
//! A device that is still `opening` after its time has tokens that reached nobody: it is given up, and with it the
//! session that may have been bound to it; the owner registers anew. If its account is gone at auth, all of the account
//! is erased. A device that is `closing` is closed. One of signal_server that is `opening` has all that it needs, and is
//! opened.

use std::fmt::Display;
use std::time::Duration;

use common::models::UnixMillis;
use db::{DbConn, DbError};
use tokio_util::sync::CancellationToken;

use super::signal_server::{finish_closing, finish_opening};
use super::{KeystoreError, removal};
use crate::app::State;
use crate::store::rows::{DeviceState, Life};
use crate::store::signal_server::devices::unfinished;
use crate::store::signal_server::prekeys;
use crate::store::{accounts, devices, issued};

/// Devices and tombstones looked at in one go.
const BATCH: i64 = 100;

/// How long a removal may take on its own before it is taken up here.
const CLOSING_TIME: Duration = Duration::from_secs(10);

/// Sweeps until it is told to stop.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(state.settings.sweep_interval);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        // Cut off where it waits: every step may be repeated.
        tokio::select! {
            () = cancel.cancelled() => return,
            swept = sweep(&state) => {
                if let Err(error) = swept {
                    tracing::warn!(%error, "unfinished devices could not be looked for, trying again");
                }
            }
        }
    }
}

/// Looks for everything that is due now. What cannot be finished yet is left for the next time.
async fn sweep(state: &State) -> Result<(), KeystoreError> {
    let now = state.clock.now();
    let opening = due(state, DeviceState::Opening, now - state.settings.opening_timeout).await?;
    let closing = due(state, DeviceState::Closing, now - CLOSING_TIME).await?;
    let mut left = 0;
    for life in opening {
        left += i64::from(note(abort(state, life).await));
    }
    for life in closing {
        left += i64::from(note(removal::finish(state, life).await));
    }
    left += signal_server(state, now - CLOSING_TIME).await?;
    state.metrics.unfinished_devices.set(left);

    let before = now - state.settings.tombstone_ttl();
    while state.db.write(move |conn| issued::prune(conn, before, BATCH)).await? > 0 {}
    while state.db.write(move |conn| prekeys::prune_issued(conn, before, BATCH)).await? > 0 {}
    while state.db.write(move |conn| accounts::TOMBSTONES.prune(conn, before, BATCH)).await? > 0 {}
    Ok(())
}

/// Finishes devices of signal_server, which need nothing of their owners for it. Returns how many are left.
async fn signal_server(state: &State, since: UnixMillis) -> Result<i64, KeystoreError> {
    let (opening, closing) = state
        .db
        .read(move |conn| {
            let due = |conn: &mut DbConn, in_state| unfinished(conn, in_state, since, BATCH);
            Ok::<_, DbError>((due(conn, DeviceState::Opening)?, due(conn, DeviceState::Closing)?))
        })
        .await?;
    let mut left = 0;
    for device in opening {
        left += i64::from(note(finish_opening(state, &device).await.map(drop)));
    }
    for device in closing {
        left += i64::from(note(finish_closing(state, device.life()).await));
    }
    Ok(left)
}

async fn due(state: &State, in_state: DeviceState, since: UnixMillis) -> Result<Vec<Life>, DbError> {
    state.db.read(move |conn| devices::unfinished(conn, in_state, since, BATCH)).await
}

async fn abort(state: &State, life: Life) -> Result<(), KeystoreError> {
    if state.auth.account_exists(life.account).await? {
        removal::undo(state, life).await
    } else {
        state.mailbox.close(life.account, life.device, life.generation).await?;
        removal::erase(state, life.account).await
    }
}

/// Tells whether it failed.
fn note<E: Display>(done: Result<(), E>) -> bool {
    done.inspect_err(|error| tracing::debug!(%error, "a device is left unfinished for now")).is_err()
}
