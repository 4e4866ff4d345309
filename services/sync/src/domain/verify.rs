//! Verification: the device shows the password, and gets its shared key.

use std::net::IpAddr;

use common::crypto::Secret;
use common::crypto::oaep::{MaskHash, OaepPublicKey};
use serde_json::Value;

use super::error::SyncError;
use super::ids::{SyncId, UserId};
use super::session::Stage;
use super::{hints, shared_keys};
use crate::app::State;
use crate::store::sessions;
use crate::users::UserApiError;

/// What a device shows.
pub(crate) struct Proof {
    /// The password, encrypted with the key of this server.
    pub(crate) password: Vec<u8>,
    /// The hash of the mask there.
    pub(crate) password_mask: MaskHash,
    /// The hash of the mask that the device wants for its shared key.
    pub(crate) key_mask: MaskHash,
    /// What stands for the client when its requests are counted.
    pub(crate) network: IpAddr,
}

/// What a device gets.
pub(crate) struct Synchronized {
    /// The shared key, encrypted with the device's key.
    pub(crate) shared_key: Vec<u8>,
    /// What the user can publish to.
    pub(crate) platforms: Vec<Value>,
}

/// Checks a password, and gives the device of a session its key; at last, whoever shows the session is told. A device
/// that did not hear the answer gets the same key again, as long as the session lives.
///
/// The password is looked at first: without it, nobody learns which sessions there are.
///
/// # Errors
/// [`SyncError::Undecryptable`], [`SyncError::WrongPassword`], [`SyncError::TooManyGuesses`]; [`SyncError::NoSession`],
/// also before an exchange of keys; [`SyncError::Accounts`] when the platforms cannot be listed. Then nothing has changed.
pub(crate) async fn verify(
    state: &State,
    user: UserId,
    shown: Option<SyncId>,
    proof: Proof,
) -> Result<Synchronized, SyncError> {
    let outcome = synchronize(state, user, shown, proof).await;
    let label = outcome.as_ref().map_or_else(SyncError::outcome, |_| "accepted");
    state.metrics.verifications_total.with_label_values(&[label]).inc();
    outcome
}

async fn synchronize(
    state: &State,
    user: UserId,
    shown: Option<SyncId>,
    proof: Proof,
) -> Result<Synchronized, SyncError> {
    let password = open(state, &proof)?;
    let pass = state.users.verify(&user, &password, proof.network).await.map_err(refusal)?;
    let shown = shown.ok_or(SyncError::NoSession)?;
    // Looked at before the platforms are asked for, and again when it counts.
    if !waits(state, user.clone(), shown.clone()).await? {
        return Err(SyncError::NoSession);
    }
    let platforms = state.users.platforms(&user, &pass).await.map_err(SyncError::Accounts)?;
    let shared_key = hand_over(state, user, shown, proof.key_mask).await?;
    Ok(Synchronized { shared_key, platforms })
}

fn open(state: &State, proof: &Proof) -> Result<Secret<String>, SyncError> {
    let plain = state.key.decrypt(proof.password_mask, &proof.password);
    let plain = plain.map_err(|_| SyncError::Undecryptable)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SyncError::Undecryptable)?;
    Ok(Secret::from(text))
}

fn refusal(error: UserApiError) -> SyncError {
    match error {
        UserApiError::Refused => SyncError::WrongPassword,
        UserApiError::TooManyGuesses { retry_after } => SyncError::TooManyGuesses { retry_after },
        error => SyncError::Accounts(error),
    }
}

/// Whether keys were exchanged by this URL.
async fn waits(state: &State, user: UserId, shown: SyncId) -> Result<bool, SyncError> {
    let now = state.clock.now();
    let found = state.db.read(move |conn| sessions::find_shown(conn, &user, &shown)).await?;
    Ok(found.is_some_and(|stored| stored.session.stage != Stage::Run && !stored.session.is_over(now)))
}

/// Makes the key and ends the session in one transaction: a device has its key if, and only if, the session is done.
async fn hand_over(state: &State, user: UserId, shown: SyncId, mask: MaskHash) -> Result<Vec<u8>, SyncError> {
    let (now, data_key) = (state.clock.now(), state.data_key.clone());
    let most = usize::from(state.settings.max_devices);
    let done = state.db.write(move |conn| {
        let mut stored = sessions::lock_shown(conn, &user, &shown)?.ok_or(SyncError::NoSession)?;
        let again = stored.session.stage == Stage::Done;
        if !stored.session.finish(now) {
            return Err(SyncError::NoSession);
        }
        // Done, but without a key: the device was forgotten meanwhile, and has to begin anew.
        if again && !shared_keys::has_key(conn, &stored.user, &stored.id)? {
            return Err(SyncError::NoSession);
        }
        let public_key = stored.session.public_key.as_deref().ok_or(SyncError::NoSession)?;
        let public_key = OaepPublicKey::from_der(public_key)?;
        let key = shared_keys::of_session(conn, &data_key, (&stored.user, &stored.id), (now, most))?;
        let encrypted = public_key.encrypt(mask, key.as_bytes())?;
        if !again {
            sessions::update(conn, &stored)?;
        }
        Ok((stored, encrypted))
    });
    let (stored, encrypted) = done.await?;
    // Told again with each repetition: the first may have been killed before it could tell.
    hints::changed(&state.live, &stored.user, &stored.id);
    Ok(encrypted)
}
