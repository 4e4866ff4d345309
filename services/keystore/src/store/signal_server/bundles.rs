//! Taking what a bundle is made of: the prekey is removed, and remembered as given out, in the step that hands it over.
//!
//! On PostgreSQL one statement serves any number of requests; a prekey that another process is just taking is skipped,
//! not waited for.

use common::models::{AccountId, SignalServerId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::rows::{DeviceRow, PrekeyRow};
use crate::domain::signal_server::{Prekey, SignedPrekey};
use crate::store::rows::DeviceState;
use crate::store::schema::{
    signal_server_devices as devices, signal_server_issued_prekeys as issued,
    signal_server_prekeys as prekeys,
};

/// A device in the answer to one request, with the prekey that is now its fetcher's.
#[derive(Debug, Queryable)]
pub(crate) struct BundleRow {
    /// Place of the request, from 0.
    pub(crate) request: i32,
    pub(crate) address: String,
    pub(crate) identity_key: String,
    pub(crate) registration_id: SignalServerId,
    pub(crate) signed: SignedPrekey,
    /// None when none waited.
    pub(crate) prekey: Option<Prekey>,
}

/// Takes prekeys for requests, each for the device of an account. A request gets a row if there is a device in use.
pub(crate) fn take(
    conn: &mut DbConn,
    requests: &[AccountId],
    now: UnixMillis,
) -> Result<Vec<BundleRow>, DbError> {
    let taken = match conn {
        DbConn::Pg(c) => take_all(c, requests, now),
        DbConn::Sqlite(c) => take_each(c, requests, now),
    };
    taken.map_err(|error| match DbError::from(error) {
        // A prekey that waits although it was given: no fetcher can do anything about it.
        error @ DbError::UniqueViolation { .. } => DbError::other(error),
        error => error,
    })
}

enum TakeAll {}

impl BatchSql for TakeAll {
    // `turn` numbers the requests for one device, as `place` does the prekeys that they take. The limit of 1 keeps the
    // planner on the index whatever it believes of the sizes of tables.
    const SQL: &'static str = "WITH wanted AS MATERIALIZED ( \
            SELECT r.request, d.*, row_number() OVER (PARTITION BY d.account_id ORDER BY r.request) AS turn \
            FROM {r} CROSS JOIN LATERAL ( \
                SELECT d.account_id, d.address, d.identity_key, d.registration_id, d.signed_key_id, d.signed_key, \
                    d.signed_signature \
                FROM signal_server_devices d \
                WHERE d.account_id = r.account_id AND d.state <> 'closing' AND d.state = 'active' LIMIT 1) d), \
        taken AS (DELETE FROM signal_server_prekeys WHERE ctid = ANY (ARRAY( \
            SELECT oldest.ctid FROM (SELECT account_id, count(*) AS turns FROM wanted GROUP BY account_id) w \
            CROSS JOIN LATERAL ( \
                SELECT k.ctid FROM signal_server_prekeys k WHERE k.account_id = w.account_id \
                ORDER BY k.position LIMIT w.turns FOR UPDATE SKIP LOCKED) oldest)) \
            RETURNING account_id, position, key_id, public_key, key_hash), \
        remembered AS (INSERT INTO signal_server_issued_prekeys (account_id, key_hash, issued_at) \
            SELECT account_id, key_hash, {now} FROM taken), \
        placed AS MATERIALIZED ( \
            SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY position) AS place FROM taken) \
        SELECT w.request, w.address, w.identity_key, w.registration_id, w.signed_key_id, w.signed_key, \
            w.signed_signature, p.key_id, p.public_key \
        FROM wanted w LEFT JOIN placed p ON p.account_id = w.account_id AND p.place = w.turn ORDER BY w.request";
    type Row = (Integer, Text, Text, Integer, (Integer, Text, Text), Nullable<(Integer, Text)>);
}

fn take_all(conn: &mut PgConnection, requests: &[AccountId], now: UnixMillis) -> QueryResult<Vec<BundleRow>> {
    let rows =
        Rows::of(requests).numbered("request").column::<Text, _>("account_id", |account| account.as_str());
    BatchQuery::<TakeAll>::new().rows("r", rows).value::<BigInt, _>("now", now.as_i64()).load(conn)
}

/// The same for SQLite: a loop over statements that the connection keeps.
fn take_each(
    conn: &mut SqliteConnection,
    requests: &[AccountId],
    now: UnixMillis,
) -> QueryResult<Vec<BundleRow>> {
    let mut served = Vec::with_capacity(requests.len());
    for (request, account) in (0..).zip(requests) {
        let active: Option<DeviceRow> = devices::table
            .filter(devices::account_id.eq(account))
            .filter(devices::state.eq(DeviceState::Active))
            .first(conn)
            .optional()?;
        let Some(device) = active else { continue };
        let prekey = oldest(conn, *account, now)?;
        served.push(BundleRow {
            request,
            address: device.address,
            identity_key: device.identity_key,
            registration_id: device.registration_id,
            signed: SignedPrekey {
                key_id: device.signed_key_id,
                public_key: device.signed_key,
                signature: device.signed_signature,
            },
            prekey: prekey.map(|key| Prekey { key_id: key.key_id, public_key: key.public_key }),
        });
    }
    Ok(served)
}

fn oldest(
    conn: &mut SqliteConnection,
    account: AccountId,
    now: UnixMillis,
) -> QueryResult<Option<PrekeyRow>> {
    let oldest: Option<PrekeyRow> = prekeys::table
        .filter(prekeys::account_id.eq(account))
        .order(prekeys::position)
        .first(conn)
        .optional()?;
    if let Some(key) = &oldest {
        diesel::delete(prekeys::table.find((key.account_id, key.position))).execute(conn)?;
        let tombstone = (
            issued::account_id.eq(key.account_id),
            issued::key_hash.eq(&key.key_hash),
            issued::issued_at.eq(now),
        );
        diesel::insert_into(issued::table).values(tombstone).execute(conn)?;
    }
    Ok(oldest)
}
