//! SMS on their way to the publisher.

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use telemetry::TraceContext;

use super::schema::incoming;
use crate::domain::MessageId;

/// Waits for the publisher.
const WAITING: &str = "waiting";
/// The publisher has it.
const PUBLISHED: &str = "published";
/// It waited too long, and is kept for an operator.
const DEAD: &str = "dead";

/// An SMS to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewIncoming {
    pub(crate) message_id: MessageId,
    pub(crate) sealed: Vec<u8>,
    /// Of the request that brought it.
    pub(crate) trace: Option<TraceContext>,
}

/// An SMS that is due.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = incoming)]
pub(crate) struct DueRow {
    pub(crate) message_id: MessageId,
    pub(crate) sealed: Vec<u8>,
    pub(crate) received_at: UnixMillis,
    pub(crate) attempts: i32,
    traceparent: Option<String>,
}

impl DueRow {
    /// The trace of the request that brought it.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.traceparent.as_deref().and_then(TraceContext::parse)
    }
}

enum Store {}

impl BatchSql for Store {
    // What has ended may come again after the window; what ended badly may come again at once.
    const SQL: &'static str = "INSERT INTO incoming AS i (message_id, state, sealed, received_at, attempts, next_attempt_at, ended_at, traceparent) \
        SELECT n.message_id, 'waiting', n.sealed, {now}, 0, {now}, NULL, n.traceparent FROM {n} ORDER BY n.message_id \
        ON CONFLICT (message_id) DO UPDATE SET state = excluded.state, sealed = excluded.sealed, \
        received_at = excluded.received_at, attempts = 0, next_attempt_at = excluded.next_attempt_at, ended_at = NULL, \
        traceparent = excluded.traceparent \
        WHERE i.state = 'dead' OR (i.state = 'published' AND i.received_at < {since}) RETURNING i.message_id";
    type Row = Text;
}

// SQLite numbers what it binds by its first place in the text.
const STORE_ONE: &str = "INSERT INTO incoming AS i (message_id, state, sealed, received_at, attempts, next_attempt_at, ended_at, traceparent) \
    VALUES ($1, 'waiting', $2, $3, 0, $3, NULL, $4) \
    ON CONFLICT (message_id) DO UPDATE SET state = excluded.state, sealed = excluded.sealed, \
    received_at = excluded.received_at, attempts = 0, next_attempt_at = excluded.next_attempt_at, ended_at = NULL, \
    traceparent = excluded.traceparent \
    WHERE i.state = 'dead' OR (i.state = 'published' AND i.received_at < $5)";

/// Stores SMS, each of another id, but for those that came since `since` already. Gives the ids of those stored.
pub(crate) fn store(
    conn: &mut DbConn,
    rows: &[&NewIncoming],
    now: UnixMillis,
    since: UnixMillis,
) -> Result<Vec<MessageId>, DbError> {
    match conn {
        _ if rows.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let columns = Rows::of(rows)
                .column::<Text, _>("message_id", |row| row.message_id.as_str())
                .column::<Binary, _>("sealed", |row| row.sealed.as_slice())
                .column::<Nullable<Text>, _>("traceparent", |row| traceparent(row));
            let store = BatchQuery::<Store>::new().rows("n", columns);
            let store = store.value::<BigInt, _>("now", now.as_i64());
            Ok(store.value::<BigInt, _>("since", since.as_i64()).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut stored = Vec::new();
            for row in rows {
                let store = diesel::sql_query(STORE_ONE)
                    .bind::<Text, _>(row.message_id.as_str())
                    .bind::<Binary, _>(&row.sealed)
                    .bind::<BigInt, _>(now)
                    .bind::<Nullable<Text>, _>(traceparent(row))
                    .bind::<BigInt, _>(since);
                if store.execute(c)? > 0 {
                    stored.push(row.message_id.clone());
                }
            }
            Ok(stored)
        }
    }
}

fn traceparent(row: &NewIncoming) -> Option<String> {
    row.trace.map(|trace| trace.to_string())
}

/// Tells whether an SMS has come since `since`, or still waits: it is not looked at again.
pub(crate) fn is_known(conn: &mut DbConn, id: &MessageId, since: UnixMillis) -> Result<bool, DbError> {
    let waits = incoming::state.eq(WAITING);
    let recent = incoming::state.eq(PUBLISHED).and(incoming::received_at.ge(since));
    let known = incoming::table.find(id).filter(waits.or(recent));
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn)?)
}

/// Reads up to `limit` SMS that are due, those that were due first before the others.
pub(crate) fn due(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<Vec<DueRow>, DbError> {
    let due = incoming::table.filter(incoming::state.eq(WAITING)).filter(incoming::next_attempt_at.le(now));
    let first = due.order((incoming::next_attempt_at, incoming::message_id)).limit(limit);
    Ok(first.select(DueRow::as_select()).load(conn)?)
}

/// Notes that the publisher has these; what they say is removed.
pub(crate) fn published(conn: &mut DbConn, ids: &[MessageId], now: UnixMillis) -> Result<(), DbError> {
    if !ids.is_empty() {
        diesel::update(incoming::table.filter(incoming::message_id.eq_any(ids)))
            .set((
                incoming::state.eq(PUBLISHED),
                incoming::sealed.eq(Vec::<u8>::new()),
                incoming::ended_at.eq(now),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Notes that the publisher did not take one that waits, and when to try again. One that another process has published
/// since stays as it is.
pub(crate) fn postpone(
    conn: &mut DbConn,
    id: &MessageId,
    attempts: i32,
    at: UnixMillis,
) -> Result<(), DbError> {
    diesel::update(incoming::table.find(id).filter(incoming::state.eq(WAITING)))
        .set((incoming::attempts.eq(attempts), incoming::next_attempt_at.eq(at)))
        .execute(conn)?;
    Ok(())
}

/// Gives one up that waits, and keeps what it says.
pub(crate) fn bury(conn: &mut DbConn, id: &MessageId, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(incoming::table.find(id).filter(incoming::state.eq(WAITING)))
        .set((incoming::state.eq(DEAD), incoming::ended_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// SMS that wait for the publisher.
    pub(crate) waiting: i64,
    /// SMS that were given up.
    pub(crate) dead: i64,
}

/// Counts what waits and what was given up.
pub(crate) fn counts(conn: &mut DbConn) -> Result<Counts, DbError> {
    let mut of = |state: &str| -> Result<i64, DbError> {
        Ok(incoming::table.filter(incoming::state.eq(state)).count().get_result(conn)?)
    };
    Ok(Counts { waiting: of(WAITING)?, dead: of(DEAD)? })
}

/// Has up to `limit` SMS that were given up tried again, as if they had come now; returns how many.
pub(crate) fn revive(conn: &mut DbConn, limit: i64, now: UnixMillis) -> Result<usize, DbError> {
    let revive = diesel::sql_query(
        "UPDATE incoming SET state = 'waiting', received_at = $1, attempts = 0, next_attempt_at = $1, ended_at = NULL \
         WHERE state = 'dead' AND message_id IN (SELECT message_id FROM incoming WHERE state = 'dead' \
         ORDER BY ended_at LIMIT $2)",
    );
    let revive = revive.bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| revive.execute(c))?)
}

/// Removes up to `limit` rows that only kept repetitions out of a window that has passed; returns how many.
pub(crate) fn prune(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    prune_ended(conn, PUBLISHED, before, limit)
}

/// Removes up to `limit` SMS that were given up before `before`; returns how many.
pub(crate) fn prune_dead(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    prune_ended(conn, DEAD, before, limit)
}

fn prune_ended(conn: &mut DbConn, state: &str, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let prune = diesel::sql_query(
        "DELETE FROM incoming WHERE message_id IN (SELECT message_id FROM incoming WHERE state = $1 \
         AND ended_at < $2 ORDER BY ended_at LIMIT $3) AND state = $1",
    );
    let prune = prune.bind::<Text, _>(state).bind::<BigInt, _>(before).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| prune.execute(c))?)
}
