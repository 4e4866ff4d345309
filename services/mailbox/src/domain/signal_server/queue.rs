//! What waits for a device: read, deleted by its owner, expired.

use common::models::{AccountId, SignalServerId, UnixMillis};
use db::DbError;

use super::{SignalServerError, meant};
use crate::app::State;
use crate::domain::MailboxError;
use crate::store::signal_server::messages::MessageRow;
use crate::store::signal_server::{devices, messages};

/// All that waits for a device.
pub(crate) struct Queue {
    /// The address of the device.
    pub(crate) address: String,
    /// The oldest first.
    pub(crate) messages: Vec<MessageRow>,
}

/// Reads all that waits for the caller's device, and changes nothing.
///
/// # Errors
/// [`SignalServerError::NoDevice`], [`SignalServerError::DeviceChanged`].
pub(crate) async fn list(
    state: &State,
    account: AccountId,
    registration_id: Option<SignalServerId>,
) -> Result<Queue, SignalServerError> {
    let reading = state.db.read(move |conn| {
        let device = meant(devices::find(conn, account)?, registration_id)?;
        let messages = messages::all(conn, account)?;
        Ok::<_, SignalServerError>(Queue { address: device.address, messages })
    });
    reading.await
}

/// What became of one message that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It was the caller's, and is gone.
    Removed,
    /// It is somebody else's, and stays.
    Foreign,
    /// There is none of that number.
    Unknown,
}

/// Removes messages of the caller's device; `None` is what cannot be a number. Gives what became of each, in their order.
///
/// # Errors
/// [`SignalServerError::NoDevice`], [`SignalServerError::DeviceChanged`].
pub(crate) async fn remove(
    state: &State,
    account: AccountId,
    registration_id: Option<SignalServerId>,
    ids: Vec<Option<i64>>,
) -> Result<Vec<Removal>, SignalServerError> {
    let removing = state.db.write(move |conn| {
        meant(devices::lock(conn, account)?, registration_id)?;
        let wanted: Vec<i64> = ids.iter().copied().flatten().collect();
        let mut removed = messages::remove(conn, account, &wanted)?;
        let rest: Vec<i64> = wanted.into_iter().filter(|id| !removed.contains(id)).collect();
        let foreign = messages::among(conn, &rest)?;
        let fate = |id: Option<i64>| match id {
            // One that comes twice is gone the second time.
            Some(id) if removed.remove(&id) => Removal::Removed,
            Some(id) if foreign.contains(&id) => Removal::Foreign,
            _ => Removal::Unknown,
        };
        Ok::<_, SignalServerError>(ids.into_iter().map(fate).collect())
    });
    let fates: Vec<Removal> = removing.await?;
    count(state, "removed", fates.iter().filter(|fate| **fate == Removal::Removed).count());
    Ok(fates)
}

/// Removes what nobody deleted in time, a queue at a time.
///
/// # Errors
/// Those of the database.
pub(crate) async fn expire(state: &State, before: UnixMillis) -> Result<(), MailboxError> {
    while let Some(account) = state.db.read(move |conn| messages::with_old(conn, before)).await? {
        let removing = state.db.write(move |conn| {
            devices::lock(conn, account)?;
            messages::remove_old(conn, account, before)
        });
        let removed = removing.await.map_err(|error: DbError| error)?;
        count(state, "expired", removed);
    }
    Ok(())
}

fn count(state: &State, outcome: &str, messages: usize) {
    state.metrics.signal_server_messages_total.with_label_values(&[outcome]).inc_by(messages as u64);
}
