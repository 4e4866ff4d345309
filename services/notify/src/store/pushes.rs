//! What is to be pushed.

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use super::schema::{push_subscriptions, pushes};

/// A notification that devices are told of, in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    pub(crate) channel: &'a str,
    pub(crate) offset: i64,
    /// The push carries the data.
    pub(crate) with_data: bool,
    pub(crate) urgency: &'a str,
    pub(crate) topic: Option<&'a str>,
    pub(crate) expires_at: UnixMillis,
}

impl Cause<'_> {
    fn slot(&self) -> i64 {
        if self.with_data { self.offset } else { 0 }
    }
}

/// When pushes are due, and of whom there are none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) now: UnixMillis,
    pub(crate) due_at: UnixMillis,
    /// Who was woken later than this, and has not come since, is not woken again.
    pub(crate) stale: UnixMillis,
}

/// A push as it is stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = pushes)]
pub(crate) struct PushRow {
    #[diesel(sql_type = Text)]
    pub(crate) channel: String,
    #[diesel(sql_type = Text)]
    pub(crate) holder: String,
    #[diesel(sql_type = BigInt)]
    pub(crate) slot: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) channel_offset: i64,
    #[diesel(sql_type = Text)]
    pub(crate) urgency: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) topic: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub(crate) published_at: UnixMillis,
    #[diesel(sql_type = BigInt)]
    pub(crate) expires_at: UnixMillis,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub(crate) due_at: UnixMillis,
}

enum Want {}

impl BatchSql for Want {
    // The subscriptions are locked before any push is, as where they are removed; one that is removed meanwhile is left
    // out.
    const SQL: &'static str = "WITH told AS MATERIALIZED (SELECT s.channel, s.holder, p.slot, p.place, p.urgency, \
            p.topic, p.expires_at FROM {p} JOIN push_subscriptions AS s ON s.channel = p.channel \
            WHERE s.expires_at > {now} AND (p.slot > 0 OR s.pushed_at IS NULL OR s.pushed_at <= s.seen_at \
                OR s.pushed_at <= {stale}) \
            ORDER BY s.channel, s.holder FOR KEY SHARE OF s) \
        INSERT INTO pushes (channel, holder, slot, channel_offset, urgency, topic, published_at, expires_at, \
            attempts, due_at) \
        SELECT DISTINCT ON (channel, holder, slot) channel, holder, slot, place, urgency, topic, {now}, expires_at, \
            0, {due_at} FROM told ORDER BY channel, holder, slot, place DESC \
        ON CONFLICT (channel, holder, slot) DO UPDATE SET channel_offset = excluded.channel_offset, \
            urgency = excluded.urgency, topic = excluded.topic, published_at = excluded.published_at, \
            expires_at = excluded.expires_at";
    type Row = ();
}

/// Writes down that the devices of channels are to be told of notifications, in the transaction that places these.
pub(crate) fn want(conn: &mut DbConn, causes: &[Cause<'_>], timing: Timing) -> QueryResult<()> {
    match conn {
        _ if causes.is_empty() => Ok(()),
        DbConn::Pg(conn) => want_at_once(conn, causes, timing),
        DbConn::Sqlite(conn) => causes.iter().try_for_each(|cause| want_one(conn, cause, timing)),
    }
}

fn want_at_once(conn: &mut PgConnection, causes: &[Cause<'_>], timing: Timing) -> QueryResult<()> {
    let rows = Rows::of(causes)
        .column::<Text, _>("channel", |cause| cause.channel)
        .column::<BigInt, _>("slot", Cause::slot)
        .column::<BigInt, _>("place", |cause| cause.offset)
        .column::<Text, _>("urgency", |cause| cause.urgency)
        .column::<Nullable<Text>, _>("topic", |cause| cause.topic)
        .column::<BigInt, _>("expires_at", |cause| cause.expires_at.as_i64());
    BatchQuery::<Want>::new()
        .rows("p", rows)
        .value::<BigInt, _>("now", timing.now.as_i64())
        .value::<BigInt, _>("due_at", timing.due_at.as_i64())
        .value::<BigInt, _>("stale", timing.stale.as_i64())
        .execute(conn)?;
    Ok(())
}

fn want_one(conn: &mut SqliteConnection, cause: &Cause<'_>, timing: Timing) -> QueryResult<()> {
    let holders: Vec<(String, UnixMillis, Option<UnixMillis>)> = push_subscriptions::table
        .filter(push_subscriptions::channel.eq(cause.channel))
        .filter(push_subscriptions::expires_at.gt(timing.now))
        .select((push_subscriptions::holder, push_subscriptions::seen_at, push_subscriptions::pushed_at))
        .load(conn)?;
    for (holder, seen_at, pushed_at) in holders {
        let sleeps_on = pushed_at.is_some_and(|at| at > seen_at && at > timing.stale);
        if sleeps_on && !cause.with_data {
            continue;
        }
        let row = PushRow {
            channel: cause.channel.to_owned(),
            holder,
            slot: cause.slot(),
            channel_offset: cause.offset,
            urgency: cause.urgency.to_owned(),
            topic: cause.topic.map(ToOwned::to_owned),
            published_at: timing.now,
            expires_at: cause.expires_at,
            attempts: 0,
            due_at: timing.due_at,
        };
        diesel::insert_into(pushes::table)
            .values(&row)
            .on_conflict((pushes::channel, pushes::holder, pushes::slot))
            .do_update()
            .set((
                pushes::channel_offset.eq(row.channel_offset),
                pushes::urgency.eq(&row.urgency),
                pushes::topic.eq(&row.topic),
                pushes::published_at.eq(row.published_at),
                pushes::expires_at.eq(row.expires_at),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Takes up to `limit` pushes that have been due for the longest time at `now`. Nobody else gets them before `until`.
pub(crate) fn claim(
    conn: &mut DbConn,
    now: UnixMillis,
    until: UnixMillis,
    limit: i64,
) -> Result<Vec<PushRow>, DbError> {
    let locking = match conn {
        DbConn::Pg(_) => " FOR UPDATE SKIP LOCKED",
        DbConn::Sqlite(_) => "",
    };
    let claim = diesel::sql_query(format!(
        "UPDATE pushes SET due_at = $1 WHERE (channel, holder, slot) IN (SELECT channel, holder, slot FROM pushes \
         WHERE due_at <= $2 ORDER BY due_at LIMIT $3{locking}) RETURNING *"
    ));
    let claim = claim.bind::<BigInt, _>(until).bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| claim.load(c))?)
}

/// Makes those due at `now` that a killed process had claimed: they would be later than any push is.
pub(crate) fn hasten(conn: &mut DbConn, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(pushes::table.filter(pushes::due_at.gt(now))).set(pushes::due_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Removes a push that is done with, unless it has become one for a later notification: that one is due at `due_at`.
pub(crate) fn finish(conn: &mut DbConn, row: &PushRow, due_at: UnixMillis) -> Result<(), DbError> {
    let there = pushes::table.find((&row.channel, &row.holder, row.slot));
    let same = there.filter(pushes::channel_offset.eq(row.channel_offset));
    let same = same.filter(pushes::published_at.eq(row.published_at));
    if diesel::delete(same).execute(conn)? == 0 {
        postpone(conn, row, 0, due_at)?;
    }
    Ok(())
}

/// Moves the next look at a push, after so many tries.
pub(crate) fn postpone(
    conn: &mut DbConn,
    row: &PushRow,
    attempts: i32,
    due_at: UnixMillis,
) -> Result<(), DbError> {
    let there = pushes::table.find((&row.channel, &row.holder, row.slot));
    diesel::update(there).set((pushes::attempts.eq(attempts), pushes::due_at.eq(due_at))).execute(conn)?;
    Ok(())
}
