//! One-time keys that wait to be fetched.

use common::models::events::PreKeyKind;
use common::models::{AccountId, DeviceId, KeyId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::rows::OneTimeKeyRow;
use super::schema::{devices, one_time_keys as keys};

/// A stored key, as far as an upload has to know it.
#[derive(Queryable)]
pub(crate) struct Known {
    pub(crate) device_id: DeviceId,
    pub(crate) kind: String,
    pub(crate) key_id: KeyId,
    pub(crate) key_hash: Vec<u8>,
}

/// Lists the keys that have one of these ids on this device, or one of these hashes anywhere in the account.
pub(crate) fn known(
    conn: &mut DbConn,
    (account, device): (AccountId, DeviceId),
    ids: &[KeyId],
    hashes: &[Vec<u8>],
) -> Result<Vec<Known>, DbError> {
    let columns = (keys::device_id, keys::kind, keys::key_id, keys::key_hash);
    let mut found: Vec<Known> = keys::table
        .filter(keys::account_id.eq(account))
        .filter(keys::device_id.eq(device))
        .filter(keys::key_id.eq_any(ids))
        .select(columns)
        .load(conn)?;
    let same: Vec<Known> = keys::table
        .filter(keys::account_id.eq(account))
        .filter(keys::key_hash.eq_any(hashes))
        .select(columns)
        .load(conn)?;
    found.extend(same);
    Ok(found)
}

/// Stores fresh keys.
pub(crate) fn insert(conn: &mut DbConn, rows: &[OneTimeKeyRow]) -> Result<(), DbError> {
    if !rows.is_empty() {
        on_backend!(conn, |c| diesel::insert_into(keys::table).values(rows).execute(c))?;
    }
    Ok(())
}

/// Counts the keys of one kind that a device has.
pub(crate) fn count(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
    kind: PreKeyKind,
) -> Result<i64, DbError> {
    let of_kind = keys::table
        .filter(keys::account_id.eq(account))
        .filter(keys::device_id.eq(device))
        .filter(keys::kind.eq(kind.as_str()));
    Ok(of_kind.count().get_result(conn)?)
}

/// Removes the keys of one kind that a device has. Whoever is just taking one comes first.
pub(crate) fn delete(
    conn: &mut DbConn,
    account: AccountId,
    device: DeviceId,
    kind: PreKeyKind,
) -> Result<(), DbError> {
    let of_kind = keys::table
        .filter(keys::account_id.eq(account))
        .filter(keys::device_id.eq(device))
        .filter(keys::kind.eq(kind.as_str()));
    diesel::delete(of_kind).execute(conn)?;
    Ok(())
}

/// Removes all keys that wait, of everybody, as if each had been given out: for tables that are older than what fetchers
/// have. Owners are told anew that theirs run out. Returns how many there were.
///
/// # Errors
/// [`DbError`] of the statements.
pub fn withdraw_all(conn: &mut DbConn, now: UnixMillis) -> Result<usize, DbError> {
    const REMEMBER: &str = "INSERT INTO issued_keys (account_id, key_hash, issued_at) \
        SELECT account_id, key_hash, $1 FROM one_time_keys WHERE TRUE ON CONFLICT DO NOTHING";
    let now = now.as_i64();
    on_backend!(conn, |c| diesel::sql_query(REMEMBER).bind::<BigInt, _>(now).execute(c))?;
    let told = diesel::update(devices::table.filter(devices::ec_low.or(devices::pq_low)));
    told.set((devices::ec_low.eq(false), devices::pq_low.eq(false))).execute(conn)?;
    Ok(diesel::delete(keys::table).execute(conn)?)
}
