//! Starting a session, and finding one.

use super::error::SyncError;
use super::ids::{SyncId, UserId};
use super::session::Session;
use crate::app::State;
use crate::store::sessions::{self, Stored};

/// Starts a session. Nothing is kept of the user but this, and it is swept when its time has passed.
///
/// # Errors
/// Those of the database.
pub(crate) async fn start(state: &State, user: UserId) -> Result<SyncId, SyncError> {
    let id = SyncId::new();
    let session = Session::start(&id, state.clock.now(), state.settings.pace());
    let new = Stored { user, id: id.clone(), session, holder: None };
    state.db.write(move |conn| sessions::insert(conn, &new)).await?;
    state.metrics.sessions_total.inc();
    Ok(id)
}

/// Tells whether there is a session that can be shown.
///
/// # Errors
/// Those of the database.
pub(crate) async fn exists(state: &State, user: UserId, id: SyncId) -> Result<bool, SyncError> {
    let now = state.clock.now();
    let found = state.db.read(move |conn| sessions::find(conn, &user, &id)).await?;
    Ok(found.is_some_and(|stored| !stored.session.is_over(now)))
}
