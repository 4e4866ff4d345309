//! How far the receivers of webhooks have come among the statuses of their clients.

use common::models::UnixMillis;
use common::models::sms::ClientId;
use db::{DbConn, on_backend};
use diesel::prelude::*;

use super::StoreError;
use super::schema::{sms_sequences, sms_webhooks};

/// A receiver's place.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_webhooks)]
pub(crate) struct Cursor {
    pub(crate) webhook: String,
    pub(crate) client_id: ClientId,
    pub(crate) seq: i64,
    pub(crate) attempts: i32,
    /// Until when it is ours. Another claim has another one.
    pub(crate) due_at: UnixMillis,
}

/// Where the statuses of a client stand.
fn last(conn: &mut DbConn, client: &ClientId) -> Result<i64, StoreError> {
    let last = sms_sequences::table.find(client).select(sms_sequences::last_seq).first(conn).optional()?;
    Ok(last.unwrap_or(0))
}

/// Lets a receiver begin behind what there is, unless it is known, for this client.
pub(crate) fn begin(
    conn: &mut DbConn,
    webhook: &str,
    client: &ClientId,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let other = sms_webhooks::table.find(webhook).filter(sms_webhooks::client_id.ne(client));
    diesel::delete(other).execute(conn)?;
    let cursor = Cursor {
        webhook: webhook.to_owned(),
        client_id: client.clone(),
        seq: last(conn, client)?,
        attempts: 0,
        due_at: now,
    };
    on_backend!(conn, |c| diesel::insert_into(sms_webhooks::table)
        .values(&cursor)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Lets a receiver that a killed process had claimed be due at `now`.
pub(crate) fn hasten(conn: &mut DbConn, webhook: &str, now: UnixMillis) -> Result<(), StoreError> {
    let later = sms_webhooks::table.find(webhook).filter(sms_webhooks::due_at.gt(now));
    diesel::update(later).set(sms_webhooks::due_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Claims a receiver that is due.
pub(crate) fn claim(
    conn: &mut DbConn,
    webhook: &str,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<Option<Cursor>, StoreError> {
    let due = sms_webhooks::table.find(webhook).filter(sms_webhooks::due_at.le(now));
    Ok(on_backend!(conn, |c| diesel::update(due)
        .set(sms_webhooks::due_at.eq(until))
        .returning(Cursor::as_returning())
        .get_result(c)
        .optional())?)
}

/// Moves a claimed receiver on; false: it is not ours any more.
pub(crate) fn advance(
    conn: &mut DbConn,
    held: &Cursor,
    seq: i64,
    due_at: UnixMillis,
) -> Result<bool, StoreError> {
    let own = sms_webhooks::table.find(&held.webhook).filter(sms_webhooks::due_at.eq(held.due_at));
    let moved = diesel::update(own)
        .set((sms_webhooks::seq.eq(seq), sms_webhooks::attempts.eq(0), sms_webhooks::due_at.eq(due_at)))
        .execute(conn)?;
    Ok(moved > 0)
}

/// Lets a claimed receiver be tried again at `due_at`, after so many tries in vain.
pub(crate) fn postpone(
    conn: &mut DbConn,
    held: &Cursor,
    attempts: i32,
    due_at: UnixMillis,
) -> Result<(), StoreError> {
    let own = sms_webhooks::table.find(&held.webhook).filter(sms_webhooks::due_at.eq(held.due_at));
    diesel::update(own)
        .set((sms_webhooks::attempts.eq(attempts), sms_webhooks::due_at.eq(due_at)))
        .execute(conn)?;
    Ok(())
}

/// How many statuses wait for a receiver, and where it is.
pub(crate) fn waiting(conn: &mut DbConn, webhook: &str, client: &ClientId) -> Result<(i64, i64), StoreError> {
    let seq = sms_webhooks::table.find(webhook).select(sms_webhooks::seq).first::<i64>(conn).optional()?;
    let last = last(conn, client)?;
    let seq = seq.unwrap_or(last);
    Ok(((last - seq).max(0), seq))
}
