//! Prekey bundles: what a sender needs to begin a session with devices of an account.
//!
//! Requests that arrive together are served by one transaction. What must hold: a one-time key goes to one of them; a
//! fetcher cannot tell a last-resort key from a one-time key.

use std::collections::{BTreeMap, HashMap};

use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use common::models::{AccountId, Base64Bytes, DeviceId, RegistrationId, UnixMillis};
use db::{DbConn, DbError};
use serde::Serialize;
use utoipa::ToSchema;

use super::KeystoreError;
use super::keys::{PreKey, SignedPreKey};
use crate::app::State;
use crate::store::rows::{DeviceRow, Life};
use crate::store::settle::{Settlement, settle};
use crate::store::take::{Taken, Wanted, remaining, take};
use crate::store::{devices, outbox};

/// One request: a device, or all of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch {
    pub(crate) account: AccountId,
    pub(crate) device: Option<DeviceId>,
}

/// What to encrypt to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bundle {
    /// The identity of the account, 33 octets.
    pub(crate) identity_key: Base64Bytes,
    /// The devices asked for; at least one.
    pub(crate) devices: Vec<DeviceBundle>,
}

/// The keys of one device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceBundle {
    /// The device.
    pub(crate) device_id: DeviceId,
    /// To be named when sending to it.
    pub(crate) registration_id: RegistrationId,
    /// The current signed Curve25519 prekey.
    pub(crate) signed_pre_key: SignedPreKey,
    /// A one-time Curve25519 prekey, given to this fetcher alone; null when there is none.
    #[schema(required)]
    pub(crate) pre_key: Option<PreKey>,
    /// A Kyber-1024 prekey.
    pub(crate) pq_pre_key: SignedPreKey,
}

/// A bundle, and what giving it meant.
pub(crate) struct Served {
    pub(crate) bundle: Bundle,
    /// One-time keys that it took.
    pub(crate) taken: [u64; 2],
    /// Last-resort keys in it.
    pub(crate) last_resort: u64,
    /// The owner is to be told of low water.
    pub(crate) told: bool,
}

/// Fetches a bundle.
///
/// # Errors
/// [`KeystoreError::NoKeys`] when there is no such device.
pub(crate) async fn fetch(state: &State, wanted: Fetch) -> Result<Bundle, KeystoreError> {
    let served = state.fetches.submit(wanted).await?.ok_or(KeystoreError::NoKeys)?;
    if served.told {
        state.relay.wake();
    }
    let metrics = &state.metrics;
    metrics.bundles_total.inc_by(served.bundle.devices.len() as u64);
    let [ec, pq] = served.taken;
    for (kind, count) in [("ec", ec), ("pq", pq), ("last_resort", served.last_resort)] {
        metrics.keys_issued_total.with_label_values(&[kind]).inc_by(count);
    }
    Ok(served.bundle)
}

/// The keys that were taken for one kind of one device.
type Pool = HashMap<(AccountId, DeviceId, PreKeyKind), Vec<Taken>>;

/// Serves a batch in the transaction of `conn`; one answer per job, `None` where there is nobody.
pub(crate) fn serve(
    conn: &mut DbConn,
    jobs: &[Fetch],
    low_water: u32,
    now: UnixMillis,
) -> Result<Vec<Option<Served>>, DbError> {
    let mut accounts: Vec<AccountId> = jobs.iter().map(|job| job.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut found = BTreeMap::<AccountId, Vec<(DeviceRow, Base64Bytes)>>::new();
    for (device, identity) in devices::active_of(conn, &accounts)? {
        found.entry(device.account_id).or_default().push((device, identity));
    }
    let chosen: Vec<Vec<&(DeviceRow, Base64Bytes)>> = jobs
        .iter()
        .map(|job| {
            let of_account = found.get(&job.account).into_iter().flatten();
            of_account.filter(|(device, _)| job.device.is_none_or(|id| id == device.device_id)).collect()
        })
        .collect();

    let mut pool = take_for(conn, &chosen, now)?;
    let mut served = BTreeMap::<Life, i64>::new();
    let mut answers: Vec<Option<Served>> =
        chosen.iter().map(|devices| answer(devices, &mut pool, &mut served)).collect();
    let touched: BTreeMap<Life, &DeviceRow> =
        chosen.iter().flatten().map(|(device, _)| (device.life(), device)).collect();
    if note(conn, &touched, &served, (low_water, now))? {
        // Whoever is answered first wakes the relay.
        answers.iter_mut().flatten().for_each(|served| served.told = true);
    }
    Ok(answers)
}

fn take_for(
    conn: &mut DbConn,
    chosen: &[Vec<&(DeviceRow, Base64Bytes)>],
    now: UnixMillis,
) -> Result<Pool, DbError> {
    let mut counts = BTreeMap::<Life, i32>::new();
    for (device, _) in chosen.iter().flatten() {
        *counts.entry(device.life()).or_default() += 1;
    }
    let wanted: Vec<Wanted> = counts
        .into_iter()
        .flat_map(|(life, count)| [PreKeyKind::Ec, PreKeyKind::Pq].map(|kind| Wanted { life, kind, count }))
        .collect();
    let mut pool = Pool::new();
    if !wanted.is_empty() {
        for key in take(conn, &wanted, now)? {
            let kind = if key.kind == PreKeyKind::Ec.as_str() { PreKeyKind::Ec } else { PreKeyKind::Pq };
            pool.entry((key.account_id, key.device_id, kind)).or_default().push(key);
        }
    }
    Ok(pool)
}

fn answer(
    devices: &[&(DeviceRow, Base64Bytes)],
    pool: &mut Pool,
    served: &mut BTreeMap<Life, i64>,
) -> Option<Served> {
    let (_, identity) = devices.first()?;
    let (mut taken, mut last_resort) = ([0, 0], 0);
    let mut bundles = Vec::with_capacity(devices.len());
    for (device, _) in devices {
        let mut one = |kind| pool.get_mut(&(device.account_id, device.device_id, kind)).and_then(Vec::pop);
        let pre_key =
            one(PreKeyKind::Ec).map(|key| PreKey { key_id: key.key_id, public_key: key.public_key });
        let pq = one(PreKeyKind::Pq).and_then(|key| {
            Some(SignedPreKey { key_id: key.key_id, public_key: key.public_key, signature: key.signature? })
        });
        taken[0] += u64::from(pre_key.is_some());
        taken[1] += u64::from(pq.is_some());
        let pq_pre_key = pq.unwrap_or_else(|| {
            last_resort += 1;
            *served.entry(device.life()).or_default() += 1;
            SignedPreKey {
                key_id: device.last_resort_id,
                public_key: device.last_resort_key.clone(),
                signature: device.last_resort_signature.clone(),
            }
        });
        bundles.push(DeviceBundle {
            device_id: device.device_id,
            registration_id: device.registration_id,
            signed_pre_key: SignedPreKey {
                key_id: device.signed_key_id,
                public_key: device.signed_key.clone(),
                signature: device.signed_signature.clone(),
            },
            pre_key,
            pq_pre_key,
        });
    }
    let bundle = Bundle { identity_key: identity.clone(), devices: bundles };
    Some(Served { bundle, taken, last_resort, told: false })
}

/// Notes last-resort keys given, and tells owners whose keys have just fallen below the mark. Tells whether there was
/// such an owner.
fn note(
    conn: &mut DbConn,
    touched: &BTreeMap<Life, &DeviceRow>,
    served: &BTreeMap<Life, i64>,
    (low_water, now): (u32, UnixMillis),
) -> Result<bool, DbError> {
    let watched: Vec<Wanted> = touched
        .iter()
        .flat_map(|(life, device)| {
            let kinds = [PreKeyKind::Ec, PreKeyKind::Pq].into_iter().filter(|kind| !device.is_low(*kind));
            kinds.map(|kind| Wanted { life: *life, kind, count: 0 })
        })
        .collect();
    let left = remaining(conn, &watched, low_water)?;
    let low: HashMap<(AccountId, DeviceId, PreKeyKind), u32> = watched
        .iter()
        .zip(left)
        .filter(|(_, left)| *left < i64::from(low_water))
        .map(|(one, left)| ((one.life.account, one.life.device, one.kind), u32::try_from(left).unwrap_or(0)))
        .collect();
    let settlements: Vec<Settlement> = touched
        .keys()
        .map(|life| Settlement {
            life: *life,
            served: served.get(life).copied().unwrap_or(0),
            ec_low: low.contains_key(&(life.account, life.device, PreKeyKind::Ec)),
            pq_low: low.contains_key(&(life.account, life.device, PreKeyKind::Pq)),
        })
        .filter(|one| one.served > 0 || one.ec_low || one.pq_low)
        .collect();

    let mut events = Vec::new();
    for marked in settle(conn, &settlements)? {
        for (kind, newly) in [(PreKeyKind::Ec, marked.ec), (PreKeyKind::Pq, marked.pq)] {
            let (account_id, device_id) = (marked.account_id, marked.device_id);
            if let Some(remaining) = low.get(&(account_id, device_id, kind)).filter(|_| newly) {
                let change = AccountChange::KeysLow { device_id, kind, remaining: *remaining };
                events.push(AccountEvent { account_id, at: now, change });
            }
        }
    }
    outbox::push(conn, &events, now)?;
    Ok(!events.is_empty())
}
