//! Taking what bundles are made of: each one-time key is removed, and remembered as given out, in the step that hands it
//! over.
//!
//! On PostgreSQL one statement serves any number of requests, and its text never changes, so that it is planned once. Keys
//! that another process is just taking are skipped, not waited for.

mod each;

use common::models::{AccountId, Base64Bytes, DeviceId, Generation, RegistrationId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};

use crate::domain::keys::{PreKey, SignedPreKey};

/// A request: for one device, or for all of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch {
    pub(crate) account: AccountId,
    pub(crate) device: Option<DeviceId>,
}

impl Fetch {
    /// The first and the last device id that are meant.
    fn range(&self) -> (i32, i32) {
        self.device.map_or((1, 127), |device| (device.as_i32(), device.as_i32()))
    }
}

/// A device in the answer to one request, with the keys that are now its fetcher's.
#[derive(Queryable)]
pub(crate) struct BundleRow {
    /// Place of the request, from 0.
    pub(crate) request: i32,
    pub(crate) device_id: DeviceId,
    pub(crate) generation: Generation,
    pub(crate) registration_id: RegistrationId,
    /// The identity of the account.
    pub(crate) identity_key: Base64Bytes,
    pub(crate) signed_key: SignedPreKey,
    /// A one-time key, while there are any.
    pub(crate) ec: Option<PreKey>,
    /// A one-time key, else the last-resort key; none only if a device has lost it.
    pub(crate) pq: Option<SignedPreKey>,
    pub(crate) ec_stock: Stock,
    pub(crate) pq_stock: Stock,
}

/// What a device has of one kind of one-time keys.
#[derive(Debug, Clone, Copy, Queryable)]
pub(crate) struct Stock {
    /// The owner has been told that they run out.
    pub(crate) is_low: bool,
    /// The position of the next one.
    pub(crate) next: i64,
    /// The position of the one that was taken.
    pub(crate) taken: Option<i64>,
}

impl Stock {
    /// How many are left: those behind the one that was taken, as the oldest goes first.
    pub(crate) fn left(&self) -> i64 {
        self.taken.map_or(0, |taken| self.next - taken - 1)
    }
}

/// Takes keys for requests. Each request gets a row for each device that it is for; none where there is none.
pub(crate) fn take(
    conn: &mut DbConn,
    requests: &[Fetch],
    now: UnixMillis,
) -> Result<Vec<BundleRow>, DbError> {
    let taken = match conn {
        DbConn::Pg(c) => take_all(c, requests, now),
        DbConn::Sqlite(c) => each::take(c, requests, now),
    };
    taken.map_err(|error| match DbError::from(error) {
        // A key that waits although it was given: no fetcher can do anything about it.
        error @ DbError::UniqueViolation { .. } => DbError::other(error),
        error => error,
    })
}

enum TakeAll {}

impl BatchSql for TakeAll {
    // `wanted` has a row for each bundle; `turn` numbers those of one device, as `place` does the keys that they take.
    // The limits keep the planner on the indexes whatever it believes of the sizes of tables. Devices are counted in one
    // order everywhere, so that two processes that serve the same ones do not block each other. No key that waits is
    // remembered as given: uploads see to that. If one ever were, the primary key keeps it from being given again.
    const SQL: &'static str = "WITH wanted AS MATERIALIZED ( \
            SELECT r.request, d.*, row_number() OVER (PARTITION BY d.account_id, d.device_id ORDER BY r.request) AS turn \
            FROM {r} CROSS JOIN LATERAL ( \
                SELECT d.account_id, d.device_id, d.generation, d.registration_id, a.identity_key, d.signed_key_id, \
                    d.signed_key, d.signed_signature, d.ec_low, d.pq_low, d.next_ec_position, d.next_pq_position \
                FROM devices d JOIN accounts a ON a.account_id = d.account_id \
                WHERE d.account_id = r.account_id AND d.device_id BETWEEN r.first_id AND r.last_id \
                    AND d.state = 'active' AND a.identity_key IS NOT NULL \
                LIMIT 127) d), \
        taken AS (DELETE FROM one_time_keys WHERE ctid = ANY (ARRAY( \
            SELECT oldest.ctid \
            FROM (SELECT account_id, device_id, count(*) AS turns FROM wanted GROUP BY account_id, device_id) w \
            CROSS JOIN (VALUES ('ec'), ('pq')) AS kinds (kind) \
            CROSS JOIN LATERAL ( \
                SELECT k.ctid FROM one_time_keys k \
                WHERE k.account_id = w.account_id AND k.device_id = w.device_id AND k.kind = kinds.kind \
                ORDER BY k.position LIMIT w.turns FOR UPDATE SKIP LOCKED) oldest)) \
            RETURNING account_id, device_id, kind, position, key_id, public_key, signature, key_hash), \
        remembered AS (INSERT INTO issued_keys (account_id, key_hash, issued_at) \
            SELECT account_id, key_hash, {now} FROM taken), \
        placed AS MATERIALIZED ( \
            SELECT *, row_number() OVER (PARTITION BY account_id, device_id, kind ORDER BY position) AS place FROM taken), \
        served AS MATERIALIZED ( \
            SELECT w.*, ec.key_id AS ec_id, ec.public_key AS ec_key, ec.position AS ec_position, pq.key_id AS pq_id, \
                pq.public_key AS pq_key, pq.signature AS pq_signature, pq.position AS pq_position \
            FROM wanted w \
            LEFT JOIN placed ec ON ec.account_id = w.account_id AND ec.device_id = w.device_id \
                AND ec.kind = 'ec' AND ec.place = w.turn \
            LEFT JOIN placed pq ON pq.account_id = w.account_id AND pq.device_id = w.device_id \
                AND pq.kind = 'pq' AND pq.place = w.turn), \
        given AS MATERIALIZED ( \
            SELECT account_id, device_id, count(*) AS times FROM served WHERE pq_id IS NULL \
            GROUP BY account_id, device_id ORDER BY account_id, device_id), \
        counted AS (UPDATE devices d SET last_resort_served = d.last_resort_served + g.times FROM given g \
            WHERE d.account_id = g.account_id AND d.device_id = g.device_id) \
        SELECT s.request, s.device_id, s.generation, s.registration_id, s.identity_key, s.signed_key_id, s.signed_key, \
            s.signed_signature, s.ec_id, s.ec_key, COALESCE(s.pq_id, l.key_id), COALESCE(s.pq_key, l.public_key), \
            COALESCE(s.pq_signature, l.signature), s.ec_low, s.next_ec_position, s.ec_position, s.pq_low, \
            s.next_pq_position, s.pq_position \
        FROM served s LEFT JOIN LATERAL ( \
            SELECT l.key_id, l.public_key, l.signature FROM last_resort_keys l \
            WHERE s.pq_id IS NULL AND l.account_id = s.account_id AND l.device_id = s.device_id LIMIT 1) l ON TRUE \
        ORDER BY s.request, s.device_id";
    type Row = (
        Integer,
        Integer,
        Text,
        Integer,
        Binary,
        Signed,
        Nullable<(Integer, Binary)>,
        Nullable<Signed>,
        StockColumns,
        StockColumns,
    );
}

/// Columns of a [`SignedPreKey`].
type Signed = (Integer, Binary, Binary);

/// Columns of a [`Stock`].
type StockColumns = (Bool, BigInt, Nullable<BigInt>);

fn take_all(conn: &mut PgConnection, requests: &[Fetch], now: UnixMillis) -> QueryResult<Vec<BundleRow>> {
    let rows = Rows::of(requests)
        .numbered("request")
        .column::<Text, _>("account_id", |fetch| fetch.account.as_str())
        .column::<Integer, _>("first_id", |fetch| fetch.range().0)
        .column::<Integer, _>("last_id", |fetch| fetch.range().1);
    BatchQuery::<TakeAll>::new().rows("r", rows).value::<BigInt, _>("now", now.as_i64()).load(conn)
}
