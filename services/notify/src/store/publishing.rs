//! Publications on their way in: their places, their rows, the keys that they were made under.

use common::models::{Epoch, NotificationId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use super::schema::{channels, idempotency_keys, notifications};
use crate::domain::{Key, Notification};

/// A publication to be stored; of those in one call, no two have one key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// Its place in the batch.
    pub(crate) number: i32,
    pub(crate) notification: &'a Notification,
    pub(crate) key: Option<&'a Key>,
}

/// What holds for all publications of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) now: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    /// That of channels that begin to live.
    pub(crate) epoch: Epoch,
    /// Notifications that a channel keeps.
    pub(crate) size: i64,
}

impl Terms {
    /// Offsets at whose multiples the oldest notifications go: in eighths of the history, so that not every publication
    /// removes one. Whoever reads looks at no more than the history anyway.
    fn step(&self) -> i64 {
        (self.size / 8).max(1)
    }
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct PlacedRow {
    pub(crate) number: i32,
    pub(crate) id: NotificationId,
    pub(crate) epoch: Epoch,
    pub(crate) offset: i64,
    /// Of one that was stored before under its key: what it was then.
    pub(crate) earlier: Option<Vec<u8>>,
}

enum Store {}

impl BatchSql for Store {
    // A key that another process stores meanwhile, which the statement's snapshot does not have, breaks the statement, as
    // the places would have a gap otherwise: tried again, it is found.
    const SQL: &'static str = "WITH given AS MATERIALIZED (SELECT * FROM {p}), \
        known AS MATERIALIZED (SELECT g.number, k.request_hash, k.notification_id, k.epoch, k.channel_offset \
            FROM given AS g JOIN idempotency_keys AS k ON k.channel = g.channel AND k.publisher = g.publisher \
            AND k.idempotency_key = g.idempotency_key), \
        fresh AS MATERIALIZED (SELECT * FROM given WHERE number NOT IN (SELECT number FROM known)), \
        counted AS (INSERT INTO channels AS c (channel, epoch, next_offset, published_at) \
            SELECT channel, {epoch}, count(*) + 1, {now} FROM fresh GROUP BY channel ORDER BY channel \
            ON CONFLICT (channel) DO UPDATE SET next_offset = c.next_offset + excluded.next_offset - 1, \
            published_at = excluded.published_at RETURNING c.channel, c.epoch, c.next_offset), \
        placed AS MATERIALIZED (SELECT f.*, c.epoch, c.next_offset - count(*) OVER (PARTITION BY f.channel) \
            + row_number() OVER (PARTITION BY f.channel ORDER BY f.number) - 1 AS place \
            FROM fresh AS f JOIN counted AS c USING (channel)), \
        stored AS (INSERT INTO notifications \
            (channel, channel_offset, notification_id, data, published_at, expires_at) \
            SELECT channel, place, notification_id, data, published_at, {expires_at} FROM placed), \
        keys AS (INSERT INTO idempotency_keys (channel, publisher, idempotency_key, request_hash, notification_id, \
            epoch, channel_offset, created_at) SELECT channel, publisher, idempotency_key, request_hash, \
            notification_id, epoch, place, {now} FROM placed WHERE idempotency_key IS NOT NULL), \
        trimmed AS (DELETE FROM notifications AS n USING (SELECT channel, max(place) - {size} AS through FROM placed \
            GROUP BY channel HAVING max(place) / {step} > (min(place) - 1) / {step}) AS t \
            WHERE n.channel = t.channel AND n.channel_offset <= t.through) \
        SELECT number, notification_id, epoch, place, NULL::bytea FROM placed UNION ALL \
        SELECT number, notification_id, epoch, channel_offset, request_hash FROM known";
    type Row = (Integer, Text, Text, BigInt, Nullable<Binary>);
}

/// Stores publications in their order, each in the next place of its channel; tells what became of each.
///
/// # Errors
/// A unique violation when another process has stored one of the keys meanwhile.
pub(crate) fn store(
    conn: &mut DbConn,
    candidates: &[Candidate<'_>],
    terms: &Terms,
) -> QueryResult<Vec<PlacedRow>> {
    match conn {
        DbConn::Pg(conn) => store_at_once(conn, candidates, terms),
        DbConn::Sqlite(conn) => {
            candidates.iter().map(|candidate| store_one(conn, candidate, terms)).collect()
        }
    }
}

fn store_at_once(
    conn: &mut PgConnection,
    candidates: &[Candidate<'_>],
    terms: &Terms,
) -> QueryResult<Vec<PlacedRow>> {
    let rows = Rows::of(candidates)
        .column::<Integer, _>("number", |one| one.number)
        .column::<Text, _>("channel", |one| one.notification.channel.as_str())
        .column::<Text, _>("notification_id", |one| one.notification.id.as_str())
        .column::<BigInt, _>("published_at", |one| one.notification.at.as_i64())
        .column::<Binary, _>("data", |one| one.notification.data.get().as_bytes())
        .column::<Nullable<Text>, _>("publisher", |one| one.key.map(|key| key.publisher.as_str()))
        .column::<Nullable<Text>, _>("idempotency_key", |one| one.key.map(|key| key.text.as_str()))
        .column::<Nullable<Binary>, _>("request_hash", |one| one.key.map(|key| key.hash.as_slice()));
    BatchQuery::<Store>::new()
        .rows("p", rows)
        .value::<Text, _>("epoch", terms.epoch.as_str())
        .value::<BigInt, _>("now", terms.now.as_i64())
        .value::<BigInt, _>("expires_at", terms.expires_at.as_i64())
        .value::<BigInt, _>("size", terms.size)
        .value::<BigInt, _>("step", terms.step())
        .load(conn)
}

fn store_one(
    conn: &mut SqliteConnection,
    candidate: &Candidate<'_>,
    terms: &Terms,
) -> QueryResult<PlacedRow> {
    let Candidate { number, notification, key } = *candidate;
    let channel = notification.channel.as_str();
    if let Some(key) = key
        && let Some(known) = find_key(conn, number, channel, key)?
    {
        return Ok(known);
    }
    let (epoch, next): (Epoch, i64) = diesel::insert_into(channels::table)
        .values((
            channels::channel.eq(channel),
            channels::epoch.eq(terms.epoch),
            channels::next_offset.eq(2),
            channels::published_at.eq(terms.now),
        ))
        .on_conflict(channels::channel)
        .do_update()
        .set((channels::next_offset.eq(channels::next_offset + 1), channels::published_at.eq(terms.now)))
        .returning((channels::epoch, channels::next_offset))
        .get_result(conn)?;
    let offset = next - 1;
    diesel::insert_into(notifications::table)
        .values((
            notifications::channel.eq(channel),
            notifications::channel_offset.eq(offset),
            notifications::notification_id.eq(notification.id),
            notifications::data.eq(notification.data.get().as_bytes()),
            notifications::published_at.eq(notification.at),
            notifications::expires_at.eq(terms.expires_at),
        ))
        .execute(conn)?;
    let placed = PlacedRow { number, id: notification.id, epoch, offset, earlier: None };
    if let Some(key) = key {
        insert_key(conn, channel, key, &placed, terms.now)?;
    }
    if offset % terms.step() == 0 {
        let old = notifications::table
            .filter(notifications::channel.eq(channel))
            .filter(notifications::channel_offset.le(offset - terms.size));
        diesel::delete(old).execute(conn)?;
    }
    Ok(placed)
}

fn find_key(
    conn: &mut SqliteConnection,
    number: i32,
    channel: &str,
    key: &Key,
) -> QueryResult<Option<PlacedRow>> {
    let known: Option<(NotificationId, Epoch, i64, Vec<u8>)> = idempotency_keys::table
        .find((channel, key.publisher.as_str(), key.text.as_str()))
        .select((
            idempotency_keys::notification_id,
            idempotency_keys::epoch,
            idempotency_keys::channel_offset,
            idempotency_keys::request_hash,
        ))
        .first(conn)
        .optional()?;
    Ok(known.map(|(id, epoch, offset, hash)| PlacedRow { number, id, epoch, offset, earlier: Some(hash) }))
}

fn insert_key(
    conn: &mut SqliteConnection,
    channel: &str,
    key: &Key,
    placed: &PlacedRow,
    now: UnixMillis,
) -> QueryResult<()> {
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::channel.eq(channel),
            idempotency_keys::publisher.eq(key.publisher.as_str()),
            idempotency_keys::idempotency_key.eq(key.text.as_str()),
            idempotency_keys::request_hash.eq(key.hash.as_slice()),
            idempotency_keys::notification_id.eq(placed.id),
            idempotency_keys::epoch.eq(placed.epoch),
            idempotency_keys::channel_offset.eq(placed.offset),
            idempotency_keys::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes up to `limit` keys stored at `before` or earlier; returns how many.
pub(crate) fn prune_keys(conn: &mut DbConn, before: UnixMillis, limit: i64) -> QueryResult<usize> {
    const POSTGRES: &str = "DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys \
        WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const SQLITE: &str = "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys \
        WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";
    match conn {
        DbConn::Pg(c) => {
            diesel::sql_query(POSTGRES).bind::<BigInt, _>(before).bind::<BigInt, _>(limit).execute(c)
        }
        DbConn::Sqlite(c) => {
            diesel::sql_query(SQLITE).bind::<BigInt, _>(before).bind::<BigInt, _>(limit).execute(c)
        }
    }
}
