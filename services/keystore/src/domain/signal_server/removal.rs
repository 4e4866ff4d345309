//! A device goes: it is marked `closing` and its prekeys are removed, its queue is closed at mailbox, its row is removed.
//! After the first step nobody sees it, and its owner may register another; the rest is the sweeper's if need be.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError};

use super::SignalServerError;
use crate::app::State;
use crate::store::accounts;
use crate::store::rows::DeviceState;
use crate::store::signal_server::rows::Life;
use crate::store::signal_server::{devices, prekeys};

/// Removes the caller's device.
///
/// # Errors
/// [`SignalServerError::NoDevice`].
pub(crate) async fn remove(state: &State, account: AccountId) -> Result<(), SignalServerError> {
    let now = state.clock.now();
    let removing = state.db.write(move |conn| {
        accounts::lock(conn, account)?;
        let device = devices::standing(conn, account)?.ok_or(SignalServerError::NoDevice)?;
        begin(conn, device.life(), now)?;
        Ok::<_, SignalServerError>(device.life())
    });
    let life = removing.await?;
    state.metrics.removals_total.inc();
    if let Err(error) = finish_closing(state, life).await {
        tracing::warn!(%error, "the queue of a removed device could not be closed yet");
    }
    Ok(())
}

/// Takes back a registration that cannot be finished now. Tells whether it was there to be taken back: not if somebody
/// else has finished it. Its queue is left to the sweeper, as mailbox is most likely away.
///
/// # Errors
/// Those of the database.
pub(super) async fn give_up(state: &State, life: Life) -> Result<bool, SignalServerError> {
    let now = state.clock.now();
    let given_up = state.db.write(move |conn| {
        accounts::lock(conn, life.account)?;
        match devices::standing(conn, life.account)? {
            Some(device) if device.life() == life && device.state == DeviceState::Active => Ok(false),
            Some(device) if device.life() == life => begin(conn, life, now).map(|()| true),
            _ => Ok::<_, DbError>(true),
        }
    });
    Ok(given_up.await?)
}

/// The first step, in the caller's transaction, which has locked the account.
fn begin(conn: &mut DbConn, life: Life, now: UnixMillis) -> Result<(), DbError> {
    prekeys::delete_waiting(conn, life.account)?;
    devices::close(conn, life, now)
}

/// Takes the other steps, which can be repeated.
///
/// # Errors
/// Those of mailbox and of the database.
pub(crate) async fn finish_closing(state: &State, life: Life) -> Result<(), SignalServerError> {
    state.mailbox.close_signal_server(life.account, life.generation).await?;
    Ok(state.db.write(move |conn| devices::delete(conn, life)).await?)
}

/// Removes all that is held of an account that is locked; its tombstone is that of our own devices.
pub(crate) fn erase(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    prekeys::delete_all(conn, account)?;
    devices::delete_all(conn, account)
}
