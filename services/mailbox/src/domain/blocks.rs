//! Whom an account does not want to hear from. A blocked sender is answered as anybody is, and nothing is stored: only
//! the account itself can tell the difference.

use common::models::AccountId;

use super::error::MailboxError;
use crate::app::State;
use crate::store::{blocks, mailboxes};

/// Blocks an account; again changes nothing.
///
/// # Errors
/// [`MailboxError::OwnAccount`], [`MailboxError::BlockListFull`], [`MailboxError::AccountDeleted`], those of the
/// database.
pub(crate) async fn block(state: &State, account: AccountId, blocked: AccountId) -> Result<(), MailboxError> {
    if account == blocked {
        return Err(MailboxError::OwnAccount);
    }
    let (now, limit) = (state.clock.now(), state.settings.max_blocks);
    state
        .db
        .write(move |conn| {
            // Openings of mailboxes note whether there are blocks, and must not miss this one.
            mailboxes::take_turn(conn, account)?;
            if mailboxes::is_account_buried(conn, account)? {
                return Err(MailboxError::AccountDeleted);
            }
            if blocks::contains(conn, account, blocked)? {
                return Ok(());
            }
            if blocks::count(conn, account)? >= i64::from(limit) {
                return Err(MailboxError::BlockListFull { limit });
            }
            blocks::insert(conn, account, blocked, now)?;
            mailboxes::lock(conn, &[account])?;
            Ok(blocks::note(conn, account)?)
        })
        .await
}

/// Blocks an account no more.
///
/// # Errors
/// Those of the database.
pub(crate) async fn unblock(
    state: &State,
    account: AccountId,
    blocked: AccountId,
) -> Result<(), MailboxError> {
    state
        .db
        .write(move |conn| {
            mailboxes::take_turn(conn, account)?;
            blocks::delete(conn, account, blocked)?;
            mailboxes::lock(conn, &[account])?;
            Ok(blocks::note(conn, account)?)
        })
        .await
}

/// Whom an account blocks.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(state: &State, account: AccountId) -> Result<Vec<AccountId>, MailboxError> {
    Ok(state.db.read(move |conn| blocks::list(conn, account)).await?)
}
