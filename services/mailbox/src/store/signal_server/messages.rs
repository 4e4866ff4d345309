//! Messages that wait.

use std::collections::HashSet;

use common::models::{AccountId, SignalServerId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::devices;
use crate::store::schema::signal_server_messages as messages;

/// Numbers in one statement: SQLite binds so many and no more.
const AT_ONCE: usize = 500;

/// A message that waits.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub(crate) struct MessageRow {
    pub(crate) message_id: i64,
    pub(crate) sender_registration_id: SignalServerId,
    pub(crate) sender_address: String,
    pub(crate) content: String,
}

/// Reads all messages of a queue, in their order.
pub(crate) fn all(conn: &mut DbConn, account: AccountId) -> Result<Vec<MessageRow>, DbError> {
    let waiting = messages::table.filter(messages::account_id.eq(account)).order(messages::message_id);
    Ok(waiting.select(MessageRow::as_select()).load(conn)?)
}

/// Removes those of `ids` that are in a queue, under the lock of its device; gives the numbers of those that were.
pub(crate) fn remove(conn: &mut DbConn, account: AccountId, ids: &[i64]) -> Result<HashSet<i64>, DbError> {
    let mut removed: Vec<(i64, i32)> = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let these = messages::table
            .filter(messages::account_id.eq(account))
            .filter(messages::message_id.eq_any(some));
        removed.append(&mut on_backend!(conn, |c| diesel::delete(these)
            .returning((messages::message_id, messages::content_bytes))
            .get_results(c))?);
    }
    count_out(conn, account, removed.iter().map(|(_, bytes)| *bytes))?;
    Ok(removed.into_iter().map(|(id, _)| id).collect())
}

/// Tells which of `ids` are in any queue.
pub(crate) fn among(conn: &mut DbConn, ids: &[i64]) -> Result<HashSet<i64>, DbError> {
    let mut found = HashSet::new();
    for some in ids.chunks(AT_ONCE) {
        let these = messages::table.filter(messages::message_id.eq_any(some));
        found.extend(these.select(messages::message_id).load::<i64>(conn)?);
    }
    Ok(found)
}

/// Removes what was sent before `before`, under the lock of the queue's device; returns how many.
pub(crate) fn remove_old(
    conn: &mut DbConn,
    account: AccountId,
    before: UnixMillis,
) -> Result<usize, DbError> {
    let old = messages::table.filter(messages::account_id.eq(account)).filter(messages::sent_at.lt(before));
    let removed: Vec<i32> =
        on_backend!(conn, |c| diesel::delete(old).returning(messages::content_bytes).get_results(c))?;
    count_out(conn, account, removed.iter().copied())?;
    Ok(removed.len())
}

/// Finds a queue with a message that was sent before `before`.
pub(crate) fn with_old(conn: &mut DbConn, before: UnixMillis) -> Result<Option<AccountId>, DbError> {
    let old = messages::table.filter(messages::sent_at.lt(before));
    Ok(old.order(messages::sent_at).select(messages::account_id).first(conn).optional()?)
}

/// Removes all messages of a queue; its device goes as well, or begins anew.
pub(super) fn delete_all(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(messages::table.filter(messages::account_id.eq(account))).execute(conn)?;
    Ok(())
}

fn count_out(
    conn: &mut DbConn,
    account: AccountId,
    sizes: impl ExactSizeIterator<Item = i32>,
) -> Result<(), DbError> {
    let count = i64::try_from(sizes.len()).map_err(DbError::other)?;
    match count {
        0 => Ok(()),
        _ => devices::count(conn, account, -count, -sizes.map(i64::from).sum::<i64>()),
    }
}
