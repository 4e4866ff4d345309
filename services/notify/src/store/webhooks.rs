//! What receivers of webhooks are still to be told: written here, in the transaction of what it tells of.

pub(crate) mod delivery;

use std::collections::{BTreeMap, BTreeSet};

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::upsert::excluded;

use super::schema::{webhook_events, webhook_queues, webhook_states};
use crate::domain::ChannelName;
use crate::webhooks::Event;

/// A webhook and a channel: what is told in order.
pub(crate) type QueueName = (String, ChannelName);

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_events)]
pub(crate) struct EventRow {
    pub(crate) webhook: String,
    pub(crate) channel: String,
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) body: String,
    pub(crate) missed: i64,
    pub(crate) created_at: UnixMillis,
}

/// Holds queues until the end of the transaction: nobody else adds to them, or takes from them.
pub(crate) fn hold(conn: &mut DbConn, names: &BTreeSet<QueueName>, now: UnixMillis) -> Result<(), DbError> {
    reserve(conn, &names.iter().map(|name| (name.clone(), 0)).collect(), now)?;
    Ok(())
}

/// Events that were not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) count: usize,
    /// Why, as in the metric.
    pub(crate) reason: &'static str,
}

/// Adds events, in their order, to the queues of a webhook; not more than `backlog` of them wait. How many more there were
/// is told by the next that is added; a receiver that wants none is told nothing.
pub(crate) fn push(
    conn: &mut DbConn,
    webhook: &str,
    mut events: Vec<&Event>,
    now: UnixMillis,
    backlog: i64,
) -> Result<Dropped, DbError> {
    let state: Option<(i64, Option<UnixMillis>)> = webhook_states::table
        .find(webhook)
        .select((webhook_states::missed, webhook_states::stopped_at))
        .first(conn)
        .optional()?;
    let (lost, stopped) = state.unwrap_or_default();
    if stopped.is_some() {
        return Ok(Dropped { count: events.len(), reason: "stopped" });
    }
    let held: i64 =
        webhook_events::table.filter(webhook_events::webhook.eq(webhook)).count().get_result(conn)?;
    let room = usize::try_from(backlog - held).unwrap_or(0);
    let dropped = events.len().saturating_sub(room);
    events.truncate(room);
    let mut counts: BTreeMap<QueueName, i64> = BTreeMap::new();
    for event in &events {
        *counts.entry((webhook.to_owned(), event.channel.clone())).or_default() += 1;
    }
    let mut next = reserve(conn, &counts, now)?;
    let mut missed = if events.is_empty() { 0 } else { take_missed(conn, webhook, lost)? };
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let Some(seq) = next.get_mut(&(webhook.to_owned(), event.channel.clone())) else { continue };
        *seq += 1;
        rows.push(EventRow {
            webhook: webhook.to_owned(),
            channel: event.channel.as_str().to_owned(),
            seq: *seq,
            event_id: event.id.to_string(),
            body: event.body(missed),
            missed,
            created_at: now,
        });
        missed = 0;
    }
    insert(conn, &rows)?;
    add_missed(conn, webhook, i64::try_from(dropped).unwrap_or(i64::MAX))?;
    Ok(Dropped { count: dropped, reason: "backlog" })
}

enum Reserve {}

impl BatchSql for Reserve {
    // In the order of the names, in which every transaction locks them.
    const SQL: &'static str = "INSERT INTO webhook_queues AS q (webhook, channel, last_seq, attempts, due_at) \
        SELECT webhook, channel, last_seq, 0, {now} FROM {n} ORDER BY webhook, channel \
        ON CONFLICT (webhook, channel) DO UPDATE SET last_seq = q.last_seq + excluded.last_seq \
        RETURNING webhook, channel, last_seq";
    type Row = (Text, Text, BigInt);
}

/// Moves the number of each queue on, and gives where it stood.
fn reserve(
    conn: &mut DbConn,
    counts: &BTreeMap<QueueName, i64>,
    now: UnixMillis,
) -> Result<BTreeMap<QueueName, i64>, DbError> {
    use webhook_queues::{last_seq, table};
    let reserved: Vec<(String, String, i64)> = match conn {
        _ if counts.is_empty() => Vec::new(),
        DbConn::Pg(c) => {
            let counts: Vec<(&QueueName, &i64)> = counts.iter().collect();
            let rows = Rows::of(&counts)
                .column::<Text, _>("webhook", |((webhook, _), _)| webhook.as_str())
                .column::<Text, _>("channel", |((_, channel), _)| channel.as_str())
                .column::<BigInt, _>("last_seq", |(_, count)| **count);
            let reserve = BatchQuery::<Reserve>::new().rows("n", rows);
            reserve.value::<BigInt, _>("now", now.as_i64()).load(c)?
        }
        DbConn::Sqlite(c) => counts
            .iter()
            .map(|((hook, name), count)| {
                diesel::insert_into(table)
                    .values((
                        webhook_queues::webhook.eq(hook),
                        webhook_queues::channel.eq(name.as_str()),
                        last_seq.eq(count),
                        webhook_queues::attempts.eq(0),
                        webhook_queues::due_at.eq(now),
                    ))
                    .on_conflict((webhook_queues::webhook, webhook_queues::channel))
                    .do_update()
                    .set(last_seq.eq(last_seq + excluded(last_seq)))
                    .returning((webhook_queues::webhook, webhook_queues::channel, last_seq))
                    .get_result(c)
            })
            .collect::<Result<_, _>>()?,
    };
    let named = reserved.into_iter().map(|(hook, name, last)| {
        let name = (hook, ChannelName::parse(&name, usize::MAX).map_err(DbError::other)?);
        let before = last - counts.get(&name).copied().unwrap_or_default();
        Ok((name, before))
    });
    named.collect()
}

enum Insert {}

impl BatchSql for Insert {
    const SQL: &'static str = "INSERT INTO webhook_events ({e.*}) SELECT * FROM {e}";
    type Row = ();
}

fn insert(conn: &mut DbConn, rows: &[EventRow]) -> QueryResult<()> {
    match conn {
        _ if rows.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = Rows::of(rows)
                .column::<Text, _>("webhook", |row| row.webhook.as_str())
                .column::<Text, _>("channel", |row| row.channel.as_str())
                .column::<BigInt, _>("seq", |row| row.seq)
                .column::<Text, _>("event_id", |row| row.event_id.as_str())
                .column::<Text, _>("body", |row| row.body.as_str())
                .column::<BigInt, _>("missed", |row| row.missed)
                .column::<BigInt, _>("created_at", |row| row.created_at.as_i64());
            BatchQuery::<Insert>::new().rows("e", rows).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(webhook_events::table).values(row).execute(c)?;
            }
        }
    }
    Ok(())
}

/// Takes a number of lost events to be told, unless somebody else has.
fn take_missed(conn: &mut DbConn, webhook: &str, lost: i64) -> QueryResult<i64> {
    if lost == 0 {
        return Ok(0);
    }
    let state = webhook_states::table.find(webhook).filter(webhook_states::missed.ge(lost));
    let taken =
        diesel::update(state).set(webhook_states::missed.eq(webhook_states::missed - lost)).execute(conn)?;
    Ok(if taken > 0 { lost } else { 0 })
}

/// Notes that events were lost.
fn add_missed(conn: &mut DbConn, webhook: &str, lost: i64) -> QueryResult<()> {
    if lost == 0 {
        return Ok(());
    }
    db::on_backend!(conn, |c| diesel::insert_into(webhook_states::table)
        .values((webhook_states::webhook.eq(webhook), webhook_states::missed.eq(lost)))
        .on_conflict(webhook_states::webhook)
        .do_update()
        .set(webhook_states::missed.eq(webhook_states::missed + excluded(webhook_states::missed)))
        .execute(c))?;
    Ok(())
}
