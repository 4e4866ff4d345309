//! Opening and closing mailboxes, by the generation of their devices.

use common::models::events::PreKeyKind;
use common::models::internal::OpenMailbox;
use common::models::{AccountId, Generation};

use super::error::MailboxError;
use super::ids::MailboxId;
use crate::app::State;
use crate::delivery::hints;
use crate::store::{mailboxes, signal_server, woosh};

/// Opens a mailbox; the same generation again changes nothing. Another generation takes its place: what the mailbox
/// held for the earlier one is gone.
///
/// # Errors
/// [`MailboxError::GenerationClosed`], [`MailboxError::AccountDeleted`], those of the database.
pub(crate) async fn open(state: &State, id: MailboxId, life: OpenMailbox) -> Result<(), MailboxError> {
    let now = state.clock.now();
    let replaced = state
        .db
        .write(move |conn| {
            mailboxes::take_turn(conn, id.account)?;
            if mailboxes::is_account_buried(conn, id.account)? {
                return Err(MailboxError::AccountDeleted);
            }
            if mailboxes::is_buried(conn, id, life.generation)? {
                return Err(MailboxError::GenerationClosed);
            }
            let current = mailboxes::lock(conn, &[id.account])?.into_iter().find(|row| row.id() == id);
            match current.map(|row| row.generation) {
                Some(current) if current == life.generation => Ok(None),
                Some(earlier) => {
                    mailboxes::bury(conn, id, earlier, now)?;
                    mailboxes::replace(conn, id, &life, now)?;
                    Ok(Some(earlier))
                }
                None => {
                    mailboxes::insert(conn, id, &life, now)?;
                    Ok(None)
                }
            }
        })
        .await?;
    if let Some(earlier) = replaced {
        hints::closed(&state.live, id, earlier);
    }
    Ok(())
}

/// Closes the mailbox of one life of a device, with all it holds, and keeps it from being opened later. The mailbox of
/// another life stays.
///
/// # Errors
/// Those of the database.
pub(crate) async fn close(state: &State, id: MailboxId, generation: Generation) -> Result<(), MailboxError> {
    let now = state.clock.now();
    state
        .db
        .write(move |conn| {
            mailboxes::take_turn(conn, id.account)?;
            let current = mailboxes::lock(conn, &[id.account])?.into_iter().find(|row| row.id() == id);
            if current.is_some_and(|row| row.generation == generation) {
                mailboxes::delete(conn, id)?;
            }
            mailboxes::bury(conn, id, generation, now)
        })
        .await?;
    hints::closed(&state.live, id, generation);
    Ok(())
}

/// Notes how many prekeys of a kind a device has left, for when it connects; none: it has enough.
///
/// # Errors
/// Those of the database.
pub(crate) async fn note_keys(
    state: &State,
    id: MailboxId,
    kind: PreKeyKind,
    left: Option<u32>,
) -> Result<(), MailboxError> {
    state.db.write(move |conn| Ok(mailboxes::note_keys(conn, id, kind, left)?)).await
}

/// Removes everything of an account, and keeps it from coming back.
///
/// # Errors
/// Those of the database.
pub(crate) async fn erase(state: &State, account: AccountId) -> Result<(), MailboxError> {
    let now = state.clock.now();
    let closed = state
        .db
        .write(move |conn| {
            mailboxes::take_turn(conn, account)?;
            let rows = mailboxes::lock(conn, &[account])?;
            for row in &rows {
                mailboxes::delete(conn, row.id())?;
            }
            woosh::erase(conn, account)?;
            signal_server::erase(conn, account)?;
            mailboxes::bury_account(conn, account, now)?;
            Ok::<_, MailboxError>(rows)
        })
        .await?;
    for row in closed {
        hints::closed(&state.live, row.id(), row.generation);
    }
    Ok(())
}
