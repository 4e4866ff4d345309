//! Blocks: accounts that operators have locked out.
//!
//! What must hold: no session of a blocked account stands or begins. The block, the end of the sessions and the events
//! that tell of it are one transaction under the lock of the account, so whatever opens a session comes before it, and
//! ends with the others, or after it, and finds the block. Services and pods learn of the sessions' end as of any other.
//!
//! Nothing tells others of a block: with the right password the account answers as with a wrong one, and costs as many
//! guesses; it is found by its name; its keys are given out; what is sent to it is taken and waits, within the limits of its
//! mailboxes, until the block ends or the time of keeping does.

use common::models::AccountId;
use common::models::operators::{BlockChanged, BlockReason};
use db::DbConn;
use service::operators::{Act, AuditTable};

use super::{AuthError, sessions};
use crate::app::State;
use crate::store::blocks::BlockRow;
use crate::store::rows::SessionRow;
use crate::store::{accounts, blocks, links, totp};

/// Locks an account out, and ends its sessions. Once more gives a block another reason.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn block(
    state: &State,
    account: AccountId,
    reason: BlockReason,
    act: Act,
) -> Result<BlockChanged, AuthError> {
    let (now, until) = (state.clock.now(), state.revoked_until());
    let row = BlockRow { account_id: account, reason: reason.as_str().to_owned(), blocked_at: now };
    let blocking = state.db.write(move |conn| {
        accounts::lock(conn, account)?.ok_or(AuthError::NoAccount)?;
        let changed = blocks::put(conn, &row)?;
        links::delete_of(conn, account)?;
        totp::delete_challenges(conn, account)?;
        let events = sessions::end_all(conn, account, None, now, until)?;
        AuditTable::ADMIN.add(conn, &act, now)?;
        Ok::<_, AuthError>((changed, events))
    });
    let (changed, events) = blocking.await?;
    state.announce(&events).await;
    Ok(BlockChanged { changed, sessions_ended: events.len() })
}

/// Lets an account in again. The sessions that its block has ended stay ended.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn unblock(state: &State, account: AccountId, act: Act) -> Result<BlockChanged, AuthError> {
    let now = state.clock.now();
    let unblocking = state.db.write(move |conn| {
        accounts::lock(conn, account)?.ok_or(AuthError::NoAccount)?;
        let changed = blocks::delete(conn, account)?;
        AuditTable::ADMIN.add(conn, &act, now)?;
        Ok::<_, AuthError>(changed)
    });
    Ok(BlockChanged { changed: unblocking.await?, sessions_ended: 0 })
}

/// Stores a session, unless its account is blocked. The caller has locked the account.
///
/// # Errors
/// [`AuthError::BadCredentials`] for a blocked one.
pub(super) fn open_session(conn: &mut DbConn, session: SessionRow) -> Result<(), AuthError> {
    if blocks::is_blocked(conn, session.account_id)? {
        return Err(AuthError::BadCredentials);
    }
    Ok(crate::store::sessions::insert(conn, session)?)
}
