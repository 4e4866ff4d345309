//! Invites: made by operators, used up by registrations.

use std::time::Duration;

use common::crypto::token::PlainToken;
use common::models::{InviteId, UnixMillis};
use service::operators::{Act, AuditTable};

use super::AuthError;
use crate::app::State;
use crate::store::invites;
use crate::store::rows::InviteRow;

/// The longest that an invite may live.
pub(crate) const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// An invite as its maker sees it, once.
pub(crate) struct NewInvite {
    pub(crate) invite: InviteId,
    pub(crate) code: PlainToken,
    pub(crate) expires_at: UnixMillis,
}

/// Makes an invite that can be used `uses` times within `life`.
///
/// # Errors
/// Those of the database.
pub(crate) async fn create(
    state: &State,
    uses: u16,
    life: Duration,
    act: Act,
) -> Result<NewInvite, AuthError> {
    let (now, code) = (state.clock.now(), PlainToken::generate()?);
    let new = NewInvite { invite: InviteId::new(), expires_at: now + life.min(MAX_LIFE), code };
    let row = InviteRow {
        invite_id: new.invite,
        code_hash: new.code.hashed(),
        uses_left: uses.into(),
        created_at: now,
        expires_at: new.expires_at,
    };
    let storing = state.db.write(move |conn| {
        AuditTable::ADMIN.add(conn, &act, now)?;
        invites::insert(conn, row)
    });
    storing.await?;
    Ok(new)
}

/// Lists the invites that can still be used.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(state: &State) -> Result<Vec<InviteRow>, AuthError> {
    let now = state.clock.now();
    Ok(state.db.read(move |conn| invites::usable(conn, now)).await?)
}

/// Withdraws an invite; the accounts made with it stay.
///
/// # Errors
/// [`AuthError::NoInvite`].
pub(crate) async fn withdraw(state: &State, invite: InviteId, act: Act) -> Result<(), AuthError> {
    let now = state.clock.now();
    let withdrawing = state.db.write(move |conn| {
        if !invites::delete(conn, invite)? {
            return Err(AuthError::NoInvite);
        }
        Ok(AuditTable::ADMIN.add(conn, &act, now)?)
    });
    withdrawing.await
}
