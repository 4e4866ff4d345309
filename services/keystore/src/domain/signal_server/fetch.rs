//! Bundles: what a sender needs to begin a session with an account's device.
//!
//! Requests that arrive together are served by one statement. What must hold: a prekey goes to one of them.

use common::models::{AccountId, SignalServerId, UnixMillis};
use db::{DbConn, DbError};
use web::Rule;

use super::{Prekey, SignalServerError, SignedPrekey};
use crate::app::State;
use crate::store::signal_server::bundles;

/// What to encrypt to.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) address: String,
    pub(crate) identity_key: String,
    pub(crate) registration_id: SignalServerId,
    pub(crate) signed_prekey: SignedPrekey,
    /// Given to this fetcher alone.
    pub(crate) prekey: Prekey,
}

/// What a fetch of an account's bundle has found: a device, and a prekey if one waited.
pub(crate) type Found = Option<Result<Bundle, NoneLeft>>;

/// The device is there, and no prekey of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoneLeft;

/// Fetches a bundle; one's own as well.
///
/// # Errors
/// [`SignalServerError::NoRecipientDevice`], [`SignalServerError::NoPrekeys`];
/// [`KeystoreError::RateLimited`](crate::domain::KeystoreError::RateLimited) before anything is taken.
pub(crate) async fn fetch(
    state: &State,
    caller: AccountId,
    target: AccountId,
) -> Result<Bundle, SignalServerError> {
    // The buckets of our own fetches: a prekey costs the target as much.
    state.limits.take(Rule::BundleCaller, caller)?;
    state.limits.take(Rule::BundleTarget, (caller, target))?;
    state.limits.take(Rule::BundleOwner, target)?;
    let found = state.signal_server_fetches.submit(target).await?;
    let bundle = found
        .ok_or(SignalServerError::NoRecipientDevice)?
        .map_err(|NoneLeft| SignalServerError::NoPrekeys)?;
    state.metrics.bundles_total.inc();
    state.metrics.keys_issued_total.with_label_values(&["signal_server"]).inc();
    Ok(bundle)
}

/// Serves a batch; one answer per target.
pub(crate) fn serve(
    conn: &mut DbConn,
    targets: &[AccountId],
    now: UnixMillis,
) -> Result<Vec<Found>, DbError> {
    let mut answers: Vec<Found> = targets.iter().map(|_| None).collect();
    for row in bundles::take(conn, targets, now)? {
        let place = usize::try_from(row.request).map_err(DbError::other)?;
        let Some(answer) = answers.get_mut(place) else { continue };
        *answer = Some(row.prekey.ok_or(NoneLeft).map(|prekey| Bundle {
            address: row.address,
            identity_key: row.identity_key,
            registration_id: row.registration_id,
            signed_prekey: row.signed,
            prekey,
        }));
    }
    Ok(answers)
}
