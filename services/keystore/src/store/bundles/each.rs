//! The same for SQLite: a loop over statements that the connection keeps.

use common::models::events::PreKeyKind;
use common::models::{Base64Bytes, UnixMillis};
use diesel::prelude::*;

use super::{BundleRow, Fetch, Stock};
use crate::domain::keys::{PreKey, SignedPreKey};
use crate::store::rows::{DeviceRow, DeviceState, LastResortRow, OneTimeKeyRow};
use crate::store::schema::{accounts, devices, issued_keys, last_resort_keys, one_time_keys};

/// Takes keys for requests, one after the other.
pub(super) fn take(
    conn: &mut SqliteConnection,
    requests: &[Fetch],
    now: UnixMillis,
) -> QueryResult<Vec<BundleRow>> {
    let mut served = Vec::with_capacity(requests.len());
    for (request, fetch) in (0..).zip(requests) {
        for (device, identity) in active(conn, fetch)? {
            served.push(serve(conn, (request, device, identity), now)?);
        }
    }
    Ok(served)
}

fn active(conn: &mut SqliteConnection, fetch: &Fetch) -> QueryResult<Vec<(DeviceRow, Base64Bytes)>> {
    let (first, last) = fetch.range();
    devices::table
        .inner_join(accounts::table.on(accounts::account_id.eq(devices::account_id)))
        .filter(devices::account_id.eq(fetch.account))
        .filter(devices::device_id.between(first, last))
        .filter(devices::state.eq(DeviceState::Active))
        .filter(accounts::identity_key.is_not_null())
        .order(devices::device_id)
        .select((devices::all_columns, accounts::identity_key.assume_not_null()))
        .load(conn)
}

fn serve(
    conn: &mut SqliteConnection,
    (request, device, identity_key): (i32, DeviceRow, Base64Bytes),
    now: UnixMillis,
) -> QueryResult<BundleRow> {
    let ec = oldest(conn, &device, PreKeyKind::Ec, now)?;
    let pq = oldest(conn, &device, PreKeyKind::Pq, now)?;
    let ec_stock = stock(device.ec_low, device.next_ec_position, ec.as_ref());
    let pq_stock = stock(device.pq_low, device.next_pq_position, pq.as_ref());
    let pq = match pq {
        Some(key) => key.signature.map(|signature| SignedPreKey {
            key_id: key.key_id,
            public_key: key.public_key,
            signature,
        }),
        None => last_resort(conn, &device)?,
    };
    Ok(BundleRow {
        request,
        device_id: device.device_id,
        generation: device.generation,
        registration_id: device.registration_id,
        identity_key,
        signed_key: SignedPreKey {
            key_id: device.signed_key_id,
            public_key: device.signed_key,
            signature: device.signed_signature,
        },
        ec: ec.map(|key| PreKey { key_id: key.key_id, public_key: key.public_key }),
        pq,
        ec_stock,
        pq_stock,
    })
}

fn stock(is_low: bool, next: i64, taken: Option<&OneTimeKeyRow>) -> Stock {
    Stock { is_low, next, taken: taken.map(|key| key.position) }
}

/// Takes the oldest key of a kind.
fn oldest(
    conn: &mut SqliteConnection,
    device: &DeviceRow,
    kind: PreKeyKind,
    now: UnixMillis,
) -> QueryResult<Option<OneTimeKeyRow>> {
    let oldest: Option<OneTimeKeyRow> = one_time_keys::table
        .filter(one_time_keys::account_id.eq(device.account_id))
        .filter(one_time_keys::device_id.eq(device.device_id))
        .filter(one_time_keys::kind.eq(kind.as_str()))
        .order(one_time_keys::position)
        .first(conn)
        .optional()?;
    if let Some(key) = &oldest {
        let row = (key.account_id, key.device_id, &key.kind, key.position);
        diesel::delete(one_time_keys::table.find(row)).execute(conn)?;
        let tombstone = (
            issued_keys::account_id.eq(key.account_id),
            issued_keys::key_hash.eq(&key.key_hash),
            issued_keys::issued_at.eq(now),
        );
        diesel::insert_into(issued_keys::table).values(tombstone).execute(conn)?;
    }
    Ok(oldest)
}

/// Gives the last-resort key once more.
fn last_resort(conn: &mut SqliteConnection, device: &DeviceRow) -> QueryResult<Option<SignedPreKey>> {
    let of_device = (device.account_id, device.device_id);
    diesel::update(devices::table.find(of_device))
        .set(devices::last_resort_served.eq(devices::last_resort_served + 1))
        .execute(conn)?;
    let found: Option<LastResortRow> = last_resort_keys::table.find(of_device).first(conn).optional()?;
    Ok(found.map(|row| SignedPreKey {
        key_id: row.key_id,
        public_key: row.public_key,
        signature: row.signature,
    }))
}
