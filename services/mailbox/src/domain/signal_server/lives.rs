//! Opening and closing queues, by the generation of their devices.

use common::models::signal_server::OpenSignalServerDevice;
use common::models::{AccountId, Generation};
use db::DbError;

use crate::app::State;
use crate::domain::MailboxError;
use crate::store::mailboxes;
use crate::store::signal_server::devices;

/// Opens the queue of an account's device; the same generation again changes nothing. Another generation takes its place,
/// and what waited for the earlier one is gone.
///
/// # Errors
/// [`MailboxError::GenerationClosed`], [`MailboxError::AccountDeleted`], those of the database.
pub(crate) async fn open(
    state: &State,
    account: AccountId,
    life: OpenSignalServerDevice,
) -> Result<(), MailboxError> {
    let now = state.clock.now();
    let opening = state.db.write(move |conn| {
        mailboxes::take_turn(conn, account)?;
        if mailboxes::is_account_buried(conn, account)? {
            return Err(MailboxError::AccountDeleted);
        }
        if devices::is_buried(conn, account, life.generation)? {
            return Err(MailboxError::GenerationClosed);
        }
        match devices::lock(conn, account)? {
            Some(current) if current.generation == life.generation => return Ok(()),
            Some(earlier) => devices::bury(conn, account, earlier.generation, now)?,
            None => {}
        }
        Ok(devices::put(conn, account, &life, now)?)
    });
    opening.await
}

/// Closes the queue of one life of a device, with all it holds, and keeps it from being opened later. That of another
/// life stays.
///
/// # Errors
/// Those of the database.
pub(crate) async fn close(
    state: &State,
    account: AccountId,
    generation: Generation,
) -> Result<(), MailboxError> {
    let now = state.clock.now();
    let closing = state.db.write(move |conn| {
        mailboxes::take_turn(conn, account)?;
        if devices::lock(conn, account)?.is_some_and(|current| current.generation == generation) {
            devices::delete(conn, account)?;
        }
        devices::bury(conn, account, generation, now)
    });
    Ok::<(), DbError>(closing.await?).map_err(Into::into)
}
