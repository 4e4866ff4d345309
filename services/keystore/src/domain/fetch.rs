//! Prekey bundles: what a sender needs to begin a session with devices of an account.
//!
//! Requests that arrive together are served by one statement. Owners are told of low water after it; if the process ends
//! in between, the next fetch finds that they were not told. What must hold: a one-time key goes to one of them; a
//! fetcher cannot tell a last-resort key from a one-time key; a device without a signed Kyber key is in no bundle.

use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use common::models::{Base64Bytes, DeviceId, RegistrationId, UnixMillis};
use db::{DbConn, DbError};
use serde::Serialize;
use utoipa::ToSchema;
use web::{Caller, RateLimited, Rule};

use super::KeystoreError;
use super::keys::{PreKey, SignedPreKey};
use crate::app::State;
use crate::store::bundles::{self, BundleRow, Stock};
use crate::store::rows::Life;
use crate::store::{devices, outbox};

pub(crate) use crate::store::bundles::Fetch;

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
    bundle: Bundle,
    given: Given,
}

/// What was given out, for the counters.
#[derive(Default)]
struct Given {
    ec: u64,
    pq: u64,
    last_resort: u64,
    /// Devices left out as they have no signed Kyber key.
    withheld: u64,
    /// Devices whose keys of a kind are few now, of which their owner has not been told.
    low: Vec<Low>,
}

/// What a device has left of a kind.
struct Low {
    life: Life,
    kind: PreKeyKind,
    stock: Stock,
}

/// Takes what a fetch costs from the buckets of its caller and its target. `*` has buckets of its own, and one for each
/// pair: of a device nobody gets more than both allow. The devices of a caller share theirs: a new one costs nothing.
///
/// # Errors
/// [`KeystoreError::RateLimited`].
fn charge(state: &State, caller: &Caller, wanted: Fetch) -> Result<(), RateLimited> {
    let target = (wanted.account, wanted.device);
    state.limits.take(Rule::BundleCaller, caller.account)?;
    state.limits.take(Rule::BundleTarget, (caller.account, target))?;
    state.limits.take(Rule::BundleOwner, target)
}

/// Fetches a bundle for a caller, one's own devices included.
///
/// # Errors
/// [`KeystoreError::NoKeys`] when there is no such device; [`KeystoreError::RateLimited`] before anything is taken.
pub(crate) async fn fetch(state: &State, caller: &Caller, wanted: Fetch) -> Result<Bundle, KeystoreError> {
    charge(state, caller, wanted)?;
    let Served { bundle, given } = state.fetches.submit(wanted).await?.ok_or(KeystoreError::NoKeys)?;
    if !given.low.is_empty() {
        tell(state, given.low).await;
    }
    let metrics = &state.metrics;
    metrics.bundles_total.inc_by(bundle.devices.len() as u64);
    metrics.bundles_withheld_total.inc_by(given.withheld);
    for (kind, count) in [("ec", given.ec), ("pq", given.pq), ("last_resort", given.last_resort)] {
        if count > 0 {
            metrics.keys_issued_total.with_label_values(&[kind]).inc_by(count);
        }
    }
    if bundle.devices.is_empty() { Err(KeystoreError::NoKeys) } else { Ok(bundle) }
}

/// Serves a batch; one answer per job, `None` where there is nobody.
pub(crate) fn serve(
    conn: &mut DbConn,
    jobs: &[Fetch],
    low_water: u32,
    now: UnixMillis,
) -> Result<Vec<Option<Served>>, DbError> {
    let mut answers: Vec<Option<Served>> = jobs.iter().map(|_| None).collect();
    for row in bundles::take(conn, jobs, now)? {
        let place = usize::try_from(row.request).map_err(DbError::other)?;
        let Some((job, answer)) = jobs.get(place).zip(answers.get_mut(place)) else { continue };
        let life = Life { account: job.account, device: row.device_id, generation: row.generation };
        let low = [(PreKeyKind::Ec, row.ec_stock), (PreKeyKind::Pq, row.pq_stock)]
            .into_iter()
            .filter(|(_, stock)| !stock.is_low && stock.left() < i64::from(low_water))
            .map(|(kind, stock)| Low { life, kind, stock });
        let low: Vec<Low> = low.collect();
        add(answer, row).low.extend(low);
    }
    Ok(answers)
}

/// Puts a device into the answer.
fn add(answer: &mut Option<Served>, row: BundleRow) -> &mut Given {
    let served = answer.get_or_insert_with(|| Served {
        bundle: Bundle { identity_key: row.identity_key, devices: Vec::new() },
        given: Given::default(),
    });
    let given = &mut served.given;
    given.ec += u64::from(row.ec.is_some());
    let Some(pq_pre_key) = row.pq else {
        given.withheld += 1;
        return given;
    };
    given.pq += u64::from(row.pq_stock.taken.is_some());
    given.last_resort += u64::from(row.pq_stock.taken.is_none());
    served.bundle.devices.push(DeviceBundle {
        device_id: row.device_id,
        registration_id: row.registration_id,
        signed_pre_key: row.signed_key,
        pre_key: row.ec,
        pq_pre_key,
    });
    given
}

/// Tells owners that keys run out: of several fetchers that saw it, one finds that they were not told yet. A failure is the
/// next fetcher's to make up for.
async fn tell(state: &State, low: Vec<Low>) {
    let now = state.clock.now();
    let told = state.db.write(move |conn| {
        let mut events = Vec::new();
        for Low { life, kind, stock } in low {
            if devices::mark_low(conn, life, kind, stock.next)? {
                let remaining = u32::try_from(stock.left()).unwrap_or(0);
                let change = AccountChange::KeysLow { device_id: life.device, kind, remaining };
                events.push(AccountEvent { account_id: life.account, at: now, change });
            }
        }
        if !events.is_empty() {
            outbox::push(conn, &events, now)?;
        }
        Ok::<_, DbError>(!events.is_empty())
    });
    match told.await {
        Ok(true) => state.relay.wake(),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "an owner could not be told that prekeys run low"),
    }
}
