//! The transactional outbox: records that are stored with the change they tell of, and published afterwards.
//!
//! In: [`push`] inside the transaction that makes the change. Out: a [`Relay`] sends the rows to the bus in the order
//! of their ids and marks them once the producer has confirmed. What must hold: a record is published at least once if
//! its transaction commits, and never if it does not; rows are published in the order of their ids, as far as they are
//! visible when a batch is read. Ids are given at insert, not at commit: two transactions keep the order of their
//! records when the second can only begin to push after the first has committed, so lock what shares a key (the
//! account, the mailbox) before pushing.
//!
//! Each service has the table in its own migrations, of exactly this shape: [`POSTGRES`] and [`SQLITE`], and
//! `DROP TABLE outbox;` on the way down.

use common::models::{Base64Bytes, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use crate::{Headers, Record};

mod postgres;
mod relay;

pub use relay::{Relay, RelaySettings};

/// The table for `migrations/postgres/…/up.sql`.
pub const POSTGRES: &str = include_str!("../outbox/postgres/2026-01-01-000000_outbox/up.sql");

/// The table for `migrations/sqlite/…/up.sql`.
pub const SQLITE: &str = include_str!("../outbox/sqlite/2026-01-01-000000_outbox/up.sql");

diesel::table! {
    /// Records to be published; see the module for the rules.
    outbox (id) {
        /// Grows with each insert and is never given twice; the order of publication.
        id -> BigInt,
        /// Topic of the bus.
        topic -> Text,
        /// The record's key.
        record_key -> Nullable<Binary>,
        /// The record's value; null is a tombstone.
        record_value -> Nullable<Binary>,
        /// JSON: an array of `[name, base64 or null]`, in order.
        headers -> Text,
        /// When it was pushed, UnixMillis.
        created_at -> BigInt,
        /// When the bus had confirmed it, UnixMillis; null until then.
        published_at -> Nullable<BigInt>,
    }
}

/// Stores `records` for publication, in their order, as part of the caller's transaction: inside
/// [`Db::write`](db::Db::write), or in the work of a [`Batcher`](db::Batcher). One statement on PostgreSQL, however
/// many they are. Wake the [`Relay`] after the commit.
///
/// # Errors
/// [`DbError`] of the insert: fail the transaction with it.
pub fn push(conn: &mut DbConn, records: &[Record], now: UnixMillis) -> Result<(), DbError> {
    if records.is_empty() {
        return Ok(());
    }
    let headers = records.iter().map(|record| encode(&record.headers)).collect::<Result<Vec<_>, _>>()?;
    match conn {
        DbConn::Pg(c) => {
            postgres::insert(c, records, &headers, now)?;
        }
        DbConn::Sqlite(c) => {
            for (record, headers) in records.iter().zip(&headers) {
                diesel::insert_into(outbox::table)
                    .values((
                        outbox::topic.eq(&record.topic),
                        outbox::record_key.eq(&record.key),
                        outbox::record_value.eq(&record.value),
                        outbox::headers.eq(headers),
                        outbox::created_at.eq(now.as_i64()),
                    ))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// Has everything published again that was confirmed at `since` or later; returns how many rows. For a restored
/// backup, whose tables may be older than the bus or the other way round: consumers recognise what they have seen. Call
/// it while a relay runs and nothing waits: one that takes its seat later leaves out what the bus still has.
///
/// # Errors
/// [`DbError`] of the update.
pub fn republish_since(conn: &mut DbConn, since: UnixMillis) -> Result<usize, DbError> {
    let recent = outbox::table.filter(outbox::published_at.ge(since.as_i64()));
    Ok(diesel::update(recent).set(outbox::published_at.eq(None::<i64>)).execute(conn)?)
}

/// What waits for publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Rows that are committed and not yet confirmed by the bus.
    pub pending: i64,
    /// When the oldest of them was pushed.
    pub oldest: Option<UnixMillis>,
}

/// Measures what waits, for a gauge.
///
/// # Errors
/// [`DbError`] of the query.
pub fn backlog(conn: &mut DbConn) -> Result<Backlog, DbError> {
    let waiting = outbox::table.filter(outbox::published_at.is_null());
    let pending = waiting.count().get_result(conn)?;
    let oldest: Option<i64> = waiting.select(outbox::created_at).order(outbox::id).first(conn).optional()?;
    Ok(Backlog { pending, oldest: oldest.map(UnixMillis) })
}

type StoredHeaders = Vec<(String, Option<Base64Bytes>)>;

fn encode(headers: &Headers) -> Result<String, DbError> {
    let stored: StoredHeaders = headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.map(|value| Base64Bytes(value.to_vec()))))
        .collect();
    serde_json::to_string(&stored).map_err(DbError::other)
}

fn decode(headers: &str) -> Result<Headers, DbError> {
    let stored: StoredHeaders = serde_json::from_str(headers).map_err(DbError::other)?;
    Ok(stored.into_iter().map(|(name, value)| (name, value.map(|value| value.0))).collect())
}
