//! The exchange of keys: a device that has seen the URL gives its public key.

use common::crypto::oaep::OaepPublicKey;

use super::error::SyncError;
use super::hints;
use super::ids::{SyncId, UserId};
use super::session::{NoExchange, Stage};
use crate::app::State;
use crate::store::sessions;

/// Takes the key of a device, by the id in the URL that counts, and has the session wait for the password. The same key
/// again, by a device that did not hear of it, changes nothing.
///
/// # Errors
/// [`SyncError::NoSession`], also when another URL counts by now; [`SyncError::BadKey`]; [`SyncError::KeyIsSet`] for
/// another key, or when the session is done.
pub(crate) async fn exchange(
    state: &State,
    user: UserId,
    shown: SyncId,
    public_key: &str,
) -> Result<(), SyncError> {
    let outcome = take(state, user, shown, public_key).await;
    let label = outcome.as_ref().map_or_else(SyncError::outcome, |()| "accepted");
    state.metrics.handshakes_total.with_label_values(&[label]).inc();
    outcome
}

async fn take(state: &State, user: UserId, shown: SyncId, public_key: &str) -> Result<(), SyncError> {
    let (now, pace) = (state.clock.now(), state.settings.pace());
    let key = OaepPublicKey::from_pem(public_key);
    let paused = state.db.write(move |conn| {
        let mut stored = sessions::lock_shown(conn, &user, &shown)?.ok_or(SyncError::NoSession)?;
        if stored.session.is_over(now) {
            return Err(SyncError::NoSession);
        }
        let ran = stored.session.stage == Stage::Run;
        stored.session.exchange(&key?, now, pace).map_err(|refused| match refused {
            NoExchange::Over => SyncError::NoSession,
            NoExchange::KeyIsSet => SyncError::KeyIsSet,
        })?;
        if ran {
            sessions::update(conn, &stored)?;
        }
        Ok(stored)
    });
    let stored = paused.await?;
    // Told again with each repetition: the first may have been killed before it could tell.
    hints::changed(&state.live, &stored.user, &stored.id);
    Ok(())
}
