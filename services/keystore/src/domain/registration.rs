//! A device comes to be, in steps that each can be the last before a crash:
//!
//! 1. the device is stored with its keys, `opening`, under a fresh generation;
//! 2. its mailbox is opened (idempotent by generation);
//! 3. the session is bound to it at auth, which gives fresh tokens;
//! 4. it is marked `active`, and from now on it is in bundles.
//!
//! The owner may repeat the request in the same session until the tokens arrive: it is the same device. What nobody
//! repeats, the [sweeper](super::sweeper) gives up.

use clients::ClientError;
use common::models::events::{AccountChange, AccountEvent};
use common::models::internal::{OpenMailbox, Tokens};
use common::models::{AccountId, Base64Bytes, DeviceId, Generation, RegistrationId, SessionId, UnixMillis};
use db::DbConn;

use super::keys::{self, SignedPreKey, Upload};
use super::{KeystoreError, removal, upload};
use crate::app::State;
use crate::settings::KeystoreSettings;
use crate::store::rows::{AccountRow, DeviceRow, DeviceState};
use crate::store::{accounts, devices, key_set, outbox};

/// What an owner presents.
#[derive(Clone)]
pub(crate) struct NewDevice {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) registration_id: RegistrationId,
    pub(crate) name: Option<String>,
    pub(crate) identity_key: Base64Bytes,
    pub(crate) signed_pre_key: SignedPreKey,
    pub(crate) pq_last_resort: SignedPreKey,
    /// The one-time keys; the signed ones are above.
    pub(crate) one_time: Upload,
    pub(crate) replaces: Option<DeviceId>,
}

/// A device and the tokens that speak for it.
pub(crate) struct Registered {
    pub(crate) device: DeviceId,
    pub(crate) tokens: Tokens,
}

/// Registers a device.
///
/// # Errors
/// Those of the keys (nothing was stored), [`KeystoreError::IdentityMismatch`], [`KeystoreError::TooManyDevices`],
/// [`KeystoreError::SessionBound`], [`KeystoreError::NoDevice`] (to be replaced), [`KeystoreError::NoAccount`],
/// [`KeystoreError::Superseded`]; [`KeystoreError::Client`] while mailbox or auth cannot be asked: repeat the request.
pub(crate) async fn register(state: &State, new: NewDevice) -> Result<Registered, KeystoreError> {
    let all = Upload {
        signed_pre_key: Some(new.signed_pre_key.clone()),
        pq_last_resort: Some(new.pq_last_resort.clone()),
        ..new.one_time.clone()
    };
    let all = keys::check(new.identity_key.clone(), all).await?;
    let (settings, now) = (state.settings.clone(), state.clock.now());
    let begun = state.db.write(move |conn| begin(conn, &new, all, (&settings, now))).await?;
    if let Some(removed) = &begun.replaced {
        state.announce(removed).await;
    }
    finish(state, &begun.device).await
}

/// The first step, done.
struct Begun {
    device: DeviceRow,
    replaced: Option<AccountEvent>,
}

fn begin(
    conn: &mut DbConn,
    new: &NewDevice,
    keys: Upload,
    (settings, now): (&KeystoreSettings, UnixMillis),
) -> Result<Begun, KeystoreError> {
    let account = accounts::lock(conn, new.account)?;
    if account.removed_at.is_some() {
        return Err(KeystoreError::NoAccount);
    }
    let all = devices::of_account(conn, new.account)?;
    let standing = || all.iter().filter(|device| device.state != DeviceState::Closing);
    let same_identity = account.identity_key.as_ref().is_none_or(|identity| *identity == new.identity_key);

    if let Some(own) = standing().find(|device| device.session_id == new.session) {
        if own.registration_id != new.registration_id || !same_identity {
            return Err(KeystoreError::SessionBound);
        }
        upload::store(conn, own, keys, (settings, now))?;
        return Ok(Begun { device: own.clone(), replaced: None });
    }
    if !same_identity {
        return Err(KeystoreError::IdentityMismatch);
    }
    let (device_id, replaced) = match new.replaces {
        Some(id) => {
            let old = standing().find(|device| device.device_id == id).ok_or(KeystoreError::NoDevice)?;
            (id, Some(take_place(conn, old, now)?))
        }
        None if standing().count() >= settings.max_devices => {
            return Err(KeystoreError::TooManyDevices(settings.max_devices));
        }
        None => (free_id(conn, &account, &all, settings)?, None),
    };
    accounts::set_identity(conn, new.account, Some(&new.identity_key))?;
    let device = newborn(new, device_id, now);
    devices::insert(conn, device.clone())?;
    let stored = upload::store(conn, &device, keys, (settings, now))?;
    upload::mark_low_at_birth(conn, device.life(), &stored, settings)?;
    Ok(Begun { device, replaced })
}

/// Ends the life of a device whose id is wanted for another.
fn take_place(conn: &mut DbConn, old: &DeviceRow, now: UnixMillis) -> Result<AccountEvent, KeystoreError> {
    // In the order of a fetch: keys, then their device.
    key_set::delete_of(conn, old.account_id, old.device_id)?;
    devices::delete(conn, old.life())?;
    let event = removed(old, now);
    outbox::push(conn, std::slice::from_ref(&event), now)?;
    Ok(event)
}

/// The event that tells of the end of a life.
pub(super) fn removed(device: &DeviceRow, at: UnixMillis) -> AccountEvent {
    let change = AccountChange::DeviceRemoved {
        device_id: device.device_id,
        generation: device.generation,
        session_id: Some(device.session_id),
    };
    AccountEvent { account_id: device.account_id, at, change }
}

/// The next id after the one given last that no device has: an id that was freed rests while another is free.
fn free_id(
    conn: &mut DbConn,
    account: &AccountRow,
    all: &[DeviceRow],
    settings: &KeystoreSettings,
) -> Result<DeviceId, KeystoreError> {
    let last = i64::from(account.last_device_id);
    let free = (last..last + 127)
        .filter_map(|id| DeviceId::new(id % 127 + 1).ok())
        .find(|id| all.iter().all(|device| device.device_id != *id))
        .ok_or(KeystoreError::TooManyDevices(settings.max_devices))?;
    accounts::set_last_device(conn, account.account_id, free.as_i32())?;
    Ok(free)
}

fn newborn(new: &NewDevice, device_id: DeviceId, now: UnixMillis) -> DeviceRow {
    DeviceRow {
        account_id: new.account,
        device_id,
        generation: Generation::new(),
        state: DeviceState::Opening,
        changed_at: now,
        registration_id: new.registration_id,
        name: new.name.clone(),
        session_id: new.session,
        signed_key_id: new.signed_pre_key.key_id,
        signed_key: new.signed_pre_key.public_key.clone(),
        signed_signature: new.signed_pre_key.signature.clone(),
        last_resort_served: 0,
        ec_low: false,
        pq_low: false,
        created_at: now,
        next_ec_position: 1,
        next_pq_position: 1,
        signed_at: now,
    }
}

/// The other steps. Each can be repeated.
async fn finish(state: &State, device: &DeviceRow) -> Result<Registered, KeystoreError> {
    let (life, is_new) = (device.life(), device.state == DeviceState::Opening);
    if is_new {
        let body = OpenMailbox { generation: life.generation, registration_id: device.registration_id };
        match state.mailbox.open(life.account, life.device, &body).await {
            Ok(()) => {}
            Err(ClientError::Refused { status: 409, problem, .. }) => {
                removal::undo(state, life).await?;
                let is_deleted = problem.is_some_and(|problem| problem.slug() == "account-deleted");
                return Err(if is_deleted { KeystoreError::NoAccount } else { KeystoreError::Superseded });
            }
            Err(error) => return Err(error.into()),
        }
    }
    let tokens = match state.auth.bind_device(device.session_id, life.account, life.device).await {
        Ok(tokens) => tokens,
        Err(error) => {
            let meaning = match error.status() {
                Some(404) => KeystoreError::NoAccount,
                Some(409) => KeystoreError::SessionBound,
                _ => return Err(error.into()),
            };
            // A device that is in use outlives its session.
            if is_new {
                removal::undo(state, life).await?;
            }
            return Err(meaning);
        }
    };
    let now = state.clock.now();
    if !state.db.write(move |conn| devices::activate(conn, life, now)).await? {
        // It was removed while its mailbox was being opened: whoever did so may have closed it too early.
        state.mailbox.close(life.account, life.device, life.generation).await?;
        return Err(KeystoreError::Superseded);
    }
    state.metrics.registrations_total.inc();
    Ok(Registered { device: life.device, tokens })
}
