//! What receivers of webhooks are still to be told: read, and done with.

use common::models::UnixMillis;
use db::{DbConn, DbError, on_backend};
use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::upsert::excluded;

use super::super::schema::{webhook_events, webhook_queues, webhook_states};
use super::{EventRow, add_missed};

/// A queue that somebody works at, until its time is over.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct Claim {
    #[diesel(sql_type = Text)]
    pub(crate) webhook: String,
    #[diesel(sql_type = Text)]
    pub(crate) channel: String,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    /// Until when it is ours. Another claim has another one.
    #[diesel(sql_type = BigInt)]
    pub(crate) due_at: UnixMillis,
}

/// Claims up to `limit` queues of a webhook that have been due for the longest time at `now`.
pub(crate) fn claim(
    conn: &mut DbConn,
    webhook: &str,
    now: UnixMillis,
    until: UnixMillis,
    limit: i64,
) -> Result<Vec<Claim>, DbError> {
    let locking = match conn {
        DbConn::Pg(_) => " FOR UPDATE SKIP LOCKED",
        DbConn::Sqlite(_) => "",
    };
    let claim = diesel::sql_query(format!(
        "UPDATE webhook_queues SET due_at = $1 WHERE webhook = $2 AND channel IN (SELECT channel FROM webhook_queues \
         WHERE webhook = $2 AND due_at <= $3 ORDER BY due_at LIMIT $4{locking}) \
         RETURNING webhook, channel, attempts, due_at"
    ));
    let claim = claim
        .bind::<BigInt, _>(until)
        .bind::<Text, _>(webhook)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| claim.load(c))?)
}

/// Lets what a killed process had claimed be due at `now`.
pub(crate) fn hasten(conn: &mut DbConn, webhook: &str, now: UnixMillis) -> Result<(), DbError> {
    let later = webhook_queues::table
        .filter(webhook_queues::webhook.eq(webhook))
        .filter(webhook_queues::due_at.gt(now));
    diesel::update(later).set(webhook_queues::due_at.eq(now)).execute(conn)?;
    Ok(())
}

/// How a claimed queue goes on.
pub(crate) struct Step<'a> {
    /// The event that is done with.
    pub(crate) done: Option<&'a EventRow>,
    /// Until when the queue is ours then.
    pub(crate) until: UnixMillis,
    /// What was written before is too old.
    pub(crate) oldest: UnixMillis,
}

/// What a claimed queue has next.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) event: Option<EventRow>,
    /// How many were dropped because of their age.
    pub(crate) dropped: i64,
}

/// Goes on in a claimed queue; an empty one is removed. None: it is not ours any more.
pub(crate) fn advance(conn: &mut DbConn, claim: &Claim, step: &Step<'_>) -> Result<Option<Next>, DbError> {
    let queue = webhook_queues::table.find((&claim.webhook, &claim.channel));
    // Held until the end: whoever adds an event waits, or has added it before.
    let held = diesel::update(queue.filter(webhook_queues::due_at.eq(claim.due_at)))
        .set(webhook_queues::due_at.eq(step.until))
        .execute(conn)?;
    if held == 0 {
        return Ok(None);
    }
    if let Some(done) = step.done {
        diesel::update(queue).set(webhook_queues::attempts.eq(0)).execute(conn)?;
        diesel::delete(webhook_events::table.find((&done.webhook, &done.channel, done.seq))).execute(conn)?;
    }
    let of_queue = webhook_events::table
        .filter(webhook_events::webhook.eq(&claim.webhook))
        .filter(webhook_events::channel.eq(&claim.channel));
    let old = of_queue.filter(webhook_events::created_at.le(step.oldest));
    let untold: Vec<i64> =
        on_backend!(conn, |c| diesel::delete(old).returning(webhook_events::missed).load(c))?;
    let dropped = untold.iter().map(|missed| missed + 1).sum();
    add_missed(conn, &claim.webhook, dropped)?;
    let first = webhook_events::table
        .filter(webhook_events::webhook.eq(&claim.webhook))
        .filter(webhook_events::channel.eq(&claim.channel))
        .order(webhook_events::seq)
        .select(EventRow::as_select());
    let event: Option<EventRow> = first.first(conn).optional()?;
    if event.is_none() {
        diesel::delete(queue).execute(conn)?;
    }
    Ok(Some(Next { event, dropped: i64::try_from(untold.len()).unwrap_or(i64::MAX) }))
}

/// Has the first event of a claimed queue tried again at `due_at`.
pub(crate) fn postpone(conn: &mut DbConn, claim: &Claim, due_at: UnixMillis) -> Result<(), DbError> {
    let queue = webhook_queues::table.find((&claim.webhook, &claim.channel));
    diesel::update(queue.filter(webhook_queues::due_at.eq(claim.due_at)))
        .set((webhook_queues::attempts.eq(webhook_queues::attempts + 1), webhook_queues::due_at.eq(due_at)))
        .execute(conn)?;
    Ok(())
}

/// Removes everything that waits for a receiver which wants no events, and has none written down for it.
pub(crate) fn stop(conn: &mut DbConn, webhook: &str, now: UnixMillis) -> Result<(), DbError> {
    diesel::delete(webhook_queues::table.filter(webhook_queues::webhook.eq(webhook))).execute(conn)?;
    on_backend!(conn, |c| diesel::insert_into(webhook_states::table)
        .values((
            webhook_states::webhook.eq(webhook),
            webhook_states::missed.eq(0),
            webhook_states::stopped_at.eq(now)
        ))
        .on_conflict(webhook_states::webhook)
        .do_update()
        .set(webhook_states::stopped_at.eq(excluded(webhook_states::stopped_at)))
        .execute(c))?;
    Ok(())
}

/// Has events written down again for a receiver that had wanted none.
pub(crate) fn start(conn: &mut DbConn, webhook: &str) -> Result<(), DbError> {
    let state = webhook_states::table.find(webhook);
    diesel::update(state).set(webhook_states::stopped_at.eq(None::<UnixMillis>)).execute(conn)?;
    Ok(())
}

/// How many events wait for a receiver, and since when the oldest has.
pub(crate) fn waiting(conn: &mut DbConn, webhook: &str) -> Result<(i64, Option<UnixMillis>), DbError> {
    let of_webhook = webhook_events::table.filter(webhook_events::webhook.eq(webhook));
    Ok(of_webhook.select((count_star(), min(webhook_events::created_at))).first(conn)?)
}

/// Removes up to `limit` queues with events of before `oldest` of webhooks that are not `known` any more.
pub(crate) fn prune(
    conn: &mut DbConn,
    known: &[String],
    oldest: UnixMillis,
    limit: i64,
) -> Result<usize, DbError> {
    let old = webhook_events::table
        .filter(webhook_events::webhook.ne_all(known))
        .filter(webhook_events::created_at.le(oldest))
        .select((webhook_events::webhook, webhook_events::channel))
        .distinct()
        .limit(limit);
    let old: Vec<(String, String)> = old.load(conn)?;
    for (webhook, channel) in &old {
        diesel::delete(webhook_queues::table.find((webhook, channel))).execute(conn)?;
    }
    Ok(old.len())
}
