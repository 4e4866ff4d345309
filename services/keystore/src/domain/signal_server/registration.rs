//! A device comes to be: it is stored with its keys, `opening`; its queue is opened at mailbox (idempotent by
//! generation); it is marked `active`.
//!
//! What a crash leaves `opening` is complete but for the last two steps. Whoever meets it takes them: the next
//! registration of the account, or the sweeper. A registration that is refused leaves nothing.

use clients::ClientError;
use common::models::signal_server::OpenSignalServerDevice;
use common::models::{AccountId, Generation, SignalServerId, UnixMillis};
use db::DbConn;

use super::{KeyRules, Prekey, SignalServerError, SignedPrekey, prekeys, removal};
use crate::app::State;
use crate::domain::KeystoreError;
use crate::store::accounts;
use crate::store::rows::DeviceState;
use crate::store::signal_server::devices;
use crate::store::signal_server::rows::DeviceRow;

/// What an owner presents.
#[derive(Debug, Clone)]
pub(crate) struct NewDevice {
    pub(crate) registration_id: SignalServerId,
    pub(crate) address: String,
    pub(crate) identity_key: String,
    pub(crate) prekeys: Vec<Prekey>,
    pub(crate) signed_prekey: SignedPrekey,
}

/// Ends the request of whoever has a device; one that a crash left half open is one once it is opened.
///
/// # Errors
/// [`SignalServerError::DeviceExists`]; [`KeystoreError::Client`] while mailbox cannot be asked.
pub(crate) async fn refuse_second(state: &State, account: AccountId) -> Result<(), SignalServerError> {
    let Some(device) = state.db.read(move |conn| devices::standing(conn, account)).await? else {
        return Ok(());
    };
    if device.state == DeviceState::Opening && !finish_opening(state, &device).await? {
        return Ok(());
    }
    Err(SignalServerError::DeviceExists)
}

/// Registers a device whose keys are checked.
///
/// # Errors
/// [`SignalServerError::DeviceExists`], [`SignalServerError::TooManyPrekeys`], [`SignalServerError::KeyIdExists`],
/// [`KeystoreError::NoAccount`]; [`KeystoreError::Client`] while mailbox cannot be asked. Nothing is left of it then.
pub(crate) async fn register(
    state: &State,
    account: AccountId,
    new: NewDevice,
) -> Result<(), SignalServerError> {
    let (rules, now) = (state.key_rules, state.clock.now());
    let device = state.db.write(move |conn| begin(conn, account, new, (rules, now))).await?;
    match finish_opening(state, &device).await {
        // One that is on its way out was registered, and its owner has removed it since.
        Ok(_) => {}
        Err(error) => {
            // Somebody else may have finished it meanwhile.
            if removal::give_up(state, device.life()).await? {
                return Err(error);
            }
        }
    }
    state.metrics.registrations_total.inc();
    Ok(())
}

fn begin(
    conn: &mut DbConn,
    account: AccountId,
    new: NewDevice,
    (rules, now): (KeyRules, UnixMillis),
) -> Result<DeviceRow, SignalServerError> {
    if accounts::lock(conn, account)?.removed_at.is_some() {
        return Err(KeystoreError::NoAccount.into());
    }
    if devices::standing(conn, account)?.is_some() {
        return Err(SignalServerError::DeviceExists);
    }
    let device = DeviceRow {
        account_id: account,
        generation: Generation::new(),
        state: DeviceState::Opening,
        changed_at: now,
        registration_id: new.registration_id,
        address: new.address,
        identity_key: new.identity_key,
        signed_key_id: new.signed_prekey.key_id,
        signed_key: new.signed_prekey.public_key,
        signed_signature: new.signed_prekey.signature,
        next_position: 1,
        created_at: now,
    };
    devices::insert(conn, device.clone())?;
    prekeys::store(conn, &device, new.prekeys, rules)?;
    Ok(device)
}

/// Takes the other steps, which can be repeated. Tells whether the device is in use then; if not, it is on its way out.
///
/// # Errors
/// [`KeystoreError::NoAccount`]; [`KeystoreError::Client`] while mailbox cannot be asked; those of the database.
pub(crate) async fn finish_opening(state: &State, device: &DeviceRow) -> Result<bool, SignalServerError> {
    let life = device.life();
    let body = OpenSignalServerDevice {
        generation: life.generation,
        registration_id: device.registration_id,
        address: device.address.clone(),
    };
    match state.mailbox.open_signal_server(life.account, &body).await {
        Ok(()) => {}
        Err(ClientError::Refused { status: 409, problem, .. }) => {
            removal::give_up(state, life).await?;
            return match problem.is_some_and(|problem| problem.slug() == "account-deleted") {
                true => Err(KeystoreError::NoAccount.into()),
                false => Ok(false),
            };
        }
        Err(error) => return Err(error.into()),
    }
    let now = state.clock.now();
    let stands = state.db.write(move |conn| devices::activate(conn, life, now)).await?;
    if !stands {
        // It was removed while its queue was being opened: whoever did so may have closed it too early.
        state.mailbox.close_signal_server(life.account, life.generation).await?;
    }
    Ok(stands)
}
