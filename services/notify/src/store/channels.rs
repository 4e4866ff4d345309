//! Channels: their lives, and how far they have come.

use common::models::{Epoch, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::schema::{channels, idempotency_keys, notifications, tokens};
use super::subscriptions;
use crate::domain::ChannelName;

/// How far a channel has come.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub(crate) struct HeadRow {
    pub(crate) channel: String,
    pub(crate) epoch: Epoch,
    pub(crate) next_offset: i64,
}

impl HeadRow {
    /// Gives the last offset that was published; 0 when there was none.
    pub(crate) fn last(&self) -> i64 {
        self.next_offset - 1
    }
}

enum Open {}

impl BatchSql for Open {
    const SQL: &'static str = "INSERT INTO channels (channel, epoch, next_offset, published_at) \
        SELECT channel, {epoch}, 1, {now} FROM {n} ORDER BY channel ON CONFLICT (channel) DO NOTHING";
    type Row = ();
}

/// Begins the lives of those channels that do not live.
pub(crate) fn open(
    conn: &mut DbConn,
    names: &[&ChannelName],
    epoch: Epoch,
    now: UnixMillis,
) -> Result<(), DbError> {
    match conn {
        _ if names.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = Rows::of(names).column::<Text, _>("channel", |name| name.as_str());
            let open = BatchQuery::<Open>::new().rows("n", rows).value::<Text, _>("epoch", epoch.as_str());
            open.value::<BigInt, _>("now", now.as_i64()).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for name in names {
                diesel::insert_into(channels::table)
                    .values((
                        channels::channel.eq(name.as_str()),
                        channels::epoch.eq(epoch),
                        channels::next_offset.eq(1),
                        channels::published_at.eq(now),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

enum Heads {}

impl BatchSql for Heads {
    const SQL: &'static str =
        "SELECT c.channel, c.epoch, c.next_offset FROM {n} JOIN channels AS c ON c.channel = n.channel";
    type Row = (Text, Text, BigInt);
}

/// Reads how far channels have come; those without a life are left out.
pub(crate) fn heads<N: AsRef<str>>(conn: &mut DbConn, names: &[N]) -> Result<Vec<HeadRow>, DbError> {
    match conn {
        _ if names.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(names).column::<Text, _>("channel", AsRef::as_ref);
            Ok(BatchQuery::<Heads>::new().rows("n", rows).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for name in names {
                let found = channels::table.find(name.as_ref()).select((
                    channels::channel,
                    channels::epoch,
                    channels::next_offset,
                ));
                rows.extend(found.first(c).optional()?);
            }
            Ok(rows)
        }
    }
}

/// What holds for a channel that is not used.
const IDLE: &str = "c.published_at <= $1 \
    AND NOT EXISTS (SELECT 1 FROM notifications AS n WHERE n.channel = c.channel) \
    AND NOT EXISTS (SELECT 1 FROM tokens AS t WHERE t.channel = c.channel) \
    AND NOT EXISTS (SELECT 1 FROM presences AS p WHERE p.channel = c.channel)";

#[derive(QueryableByName)]
#[diesel(table_name = channels)]
struct NameRow {
    channel: String,
}

/// Ends the lives of up to `limit` channels that nothing was published to since `before`, and that have neither history
/// nor tokens nor anybody present; returns how many.
pub(crate) fn forget_idle(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let idle = format!("SELECT c.channel FROM channels AS c WHERE {IDLE} ORDER BY c.published_at LIMIT $2");
    match conn {
        DbConn::Pg(c) => {
            // They are locked in the order in which publications lock them, and looked at anew after that: the snapshot of
            // the first statement is as old as its wait. Who begins to use one still later finds that it has ended.
            let lock =
                format!("SELECT channel FROM channels WHERE channel IN ({idle}) ORDER BY channel FOR UPDATE");
            let lock = diesel::sql_query(lock).bind::<BigInt, _>(before).bind::<BigInt, _>(limit);
            let held: Vec<NameRow> = lock.load(c)?;
            let held: Vec<String> = held.into_iter().map(|row| row.channel).collect();
            let forget = format!("DELETE FROM channels AS c WHERE c.channel = ANY($2) AND {IDLE}");
            let forget = diesel::sql_query(forget).bind::<BigInt, _>(before);
            Ok(forget.bind::<Array<Text>, _>(held).execute(c)?)
        }
        DbConn::Sqlite(c) => {
            let forget = diesel::sql_query(format!("DELETE FROM channels WHERE channel IN ({idle})"));
            Ok(forget.bind::<BigInt, _>(before).bind::<BigInt, _>(limit).execute(c)?)
        }
    }
}

/// Removes everything that a channel has: its life ends.
pub(crate) fn erase(conn: &mut DbConn, name: &ChannelName) -> Result<(), DbError> {
    let name = name.as_str();
    // Its row first, which whoever publishes needs.
    diesel::delete(channels::table.find(name)).execute(conn)?;
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::channel.eq(name))).execute(conn)?;
    diesel::delete(notifications::table.filter(notifications::channel.eq(name))).execute(conn)?;
    diesel::delete(tokens::table.filter(tokens::channel.eq(name))).execute(conn)?;
    subscriptions::erase(conn, name)
}
