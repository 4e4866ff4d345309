//! A device goes: it is marked `closing` and announced, its mailbox is closed, its row is removed. After the first step
//! it is in no bundle; the others are repeated by the [sweeper](super::sweeper) until they are done.

use common::models::events::AccountEvent;
use common::models::{AccountId, DeviceId, UnixMillis};
use db::{DbConn, DbError};
use service::operators::{Act, AuditTable};

use super::registration::removed;
use super::{KeystoreError, signal_server};
use crate::app::State;
use crate::store::rows::{DeviceRow, DeviceState, Life};
use crate::store::{accounts, devices, key_set, outbox};

/// Removes a device of the account; `by` an operator, if it is not its owner who does. One whose removal is under way may
/// be removed again.
///
/// # Errors
/// [`KeystoreError::NoDevice`].
pub(crate) async fn remove(
    state: &State,
    account: AccountId,
    device: DeviceId,
    by: Option<Act>,
) -> Result<(), KeystoreError> {
    let now = state.clock.now();
    let (life, event) = state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?;
            let row = devices::find(conn, account, device)?.ok_or(KeystoreError::NoDevice)?;
            if let Some(act) = &by {
                AuditTable::ADMIN.add(conn, act, now)?;
            }
            Ok::<_, KeystoreError>((row.life(), begin(conn, &row, now)?))
        })
        .await?;
    announce(state, event).await;
    finish_or_leave(state, life).await;
    Ok(())
}

/// Takes back a registration that cannot be finished. The mailbox is closed even if the row is gone by now: it may
/// have been opened after somebody else removed the device.
///
/// # Errors
/// Those of the database. A mailbox that cannot be closed is left to the sweeper.
pub(crate) async fn undo(state: &State, life: Life) -> Result<(), KeystoreError> {
    let now = state.clock.now();
    let event = state
        .db
        .write(move |conn| {
            accounts::lock(conn, life.account)?;
            match devices::find(conn, life.account, life.device)? {
                Some(row) if row.generation == life.generation => begin(conn, &row, now),
                _ => Ok(None),
            }
        })
        .await?;
    announce(state, event).await;
    finish_or_leave(state, life).await;
    Ok(())
}

/// The first step, in the caller's transaction, which has locked the account. `None` when it was done before.
fn begin(conn: &mut DbConn, device: &DeviceRow, now: UnixMillis) -> Result<Option<AccountEvent>, DbError> {
    if device.state == DeviceState::Closing {
        return Ok(None);
    }
    // In the order of a fetch: keys, then their device.
    key_set::delete_of(conn, device.account_id, device.device_id)?;
    devices::close(conn, device.life(), now)?;
    let others = devices::of_account(conn, device.account_id)?;
    if others.iter().all(|other| other.state == DeviceState::Closing) {
        // The next device is a first one again.
        accounts::set_identity(conn, device.account_id, None)?;
    }
    let event = removed(device, now);
    outbox::push(conn, std::slice::from_ref(&event), now)?;
    Ok(Some(event))
}

async fn announce(state: &State, event: Option<AccountEvent>) {
    if let Some(event) = event {
        state.metrics.removals_total.inc();
        state.announce(&event).await;
    }
}

async fn finish_or_leave(state: &State, life: Life) {
    if let Err(error) = finish(state, life).await {
        tracing::warn!(device.id = %life.device, %error, "the mailbox of a removed device could not be closed yet");
    }
}

/// The other steps. Each can be repeated.
///
/// # Errors
/// Those of mailbox and of the database.
pub(super) async fn finish(state: &State, life: Life) -> Result<(), KeystoreError> {
    state.mailbox.close(life.account, life.device, life.generation).await?;
    state.db.write(move |conn| devices::delete(conn, life)).await?;
    Ok(())
}

/// Erases all that is held of a deleted account, and remembers that it was deleted.
///
/// # Errors
/// Those of the database.
pub(crate) async fn erase(state: &State, account: AccountId) -> Result<(), KeystoreError> {
    let now = state.clock.now();
    state
        .db
        .write(move |conn| {
            // Taken first, so that a registration that is just being stored comes before or finds the tombstone.
            let row = accounts::lock(conn, account)?;
            // In the order of a fetch: keys, then their devices.
            key_set::delete_all(conn, account)?;
            devices::delete_all(conn, account)?;
            signal_server::erase(conn, account)?;
            accounts::bury(conn, account, row.removed_at.unwrap_or(now))
        })
        .await?;
    Ok(())
}
