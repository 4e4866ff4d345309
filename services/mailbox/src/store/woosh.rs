//! Inboxes and messages of Woosh.
//!
//! Numbers of messages ascend within an inbox in the order of their commits, since a send takes the account's turn
//! before it gets one.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::schema::{woosh_inboxes, woosh_messages};

/// What is known of an inbox as a whole.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = woosh_inboxes)]
pub(crate) struct InboxRow {
    /// The newest message that a poll has shown; all before it were shown too.
    pub(crate) shown_id: i64,
    pub(crate) message_count: i64,
    pub(crate) byte_count: i64,
}

/// A message that waits.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = woosh_messages)]
pub(crate) struct MessageRow {
    pub(crate) message_id: i64,
    pub(crate) from_account: AccountId,
    pub(crate) contents: Vec<u8>,
    pub(crate) sent_at: UnixMillis,
}

/// A message on its way in; the database gives it its number.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = woosh_messages)]
pub(crate) struct NewMessageRow {
    pub(crate) account_id: AccountId,
    pub(crate) from_account: AccountId,
    pub(crate) contents: Vec<u8>,
    pub(crate) content_bytes: i32,
    pub(crate) sent_at: UnixMillis,
}

/// Counts a message of `bytes` in, and gives the inbox as it is then; makes one when there is none.
pub(crate) fn grow(conn: &mut DbConn, account: AccountId, bytes: i64) -> Result<InboxRow, DbError> {
    let first = (
        woosh_inboxes::account_id.eq(account),
        woosh_inboxes::shown_id.eq(0_i64),
        woosh_inboxes::message_count.eq(1_i64),
        woosh_inboxes::byte_count.eq(bytes),
    );
    Ok(on_backend!(conn, |c| diesel::insert_into(woosh_inboxes::table)
        .values(first)
        .on_conflict(woosh_inboxes::account_id)
        .do_update()
        .set((
            woosh_inboxes::message_count.eq(woosh_inboxes::message_count + 1_i64),
            woosh_inboxes::byte_count.eq(woosh_inboxes::byte_count + bytes),
        ))
        .returning(InboxRow::as_returning())
        .get_result(c))?)
}

/// Stores a message; gives its number.
pub(crate) fn insert(conn: &mut DbConn, message: NewMessageRow) -> Result<i64, DbError> {
    Ok(on_backend!(conn, |c| diesel::insert_into(woosh_messages::table)
        .values(message)
        .returning(woosh_messages::message_id)
        .get_result(c))?)
}

/// Reads the oldest messages of an inbox, in their order.
pub(crate) fn oldest(conn: &mut DbConn, account: AccountId, limit: i64) -> Result<Vec<MessageRow>, DbError> {
    let waiting = woosh_messages::table.filter(woosh_messages::account_id.eq(account));
    let page = waiting.order(woosh_messages::message_id).limit(limit);
    Ok(page.select(MessageRow::as_select()).load(conn)?)
}

/// Reads an inbox.
pub(crate) fn inbox(conn: &mut DbConn, account: AccountId) -> Result<Option<InboxRow>, DbError> {
    Ok(woosh_inboxes::table.find(account).select(InboxRow::as_select()).first(conn).optional()?)
}

/// Reads an inbox and keeps it as it is until the transaction ends.
pub(crate) fn lock(conn: &mut DbConn, account: AccountId) -> Result<Option<InboxRow>, DbError> {
    let row = woosh_inboxes::table.find(account);
    Ok(match conn {
        DbConn::Pg(c) => row.select(InboxRow::as_select()).for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.select(InboxRow::as_select()).first(c).optional()?,
    })
}

/// Notes that a poll has shown everything up to a message.
pub(crate) fn note_shown(conn: &mut DbConn, account: AccountId, message: i64) -> Result<(), DbError> {
    diesel::update(woosh_inboxes::table.find(account).filter(woosh_inboxes::shown_id.lt(message)))
        .set(woosh_inboxes::shown_id.eq(message))
        .execute(conn)?;
    Ok(())
}

/// Removes the messages up to `through` that were sent before `before`, under the lock of their inbox; returns how many.
pub(crate) fn remove(
    conn: &mut DbConn,
    account: AccountId,
    through: i64,
    before: UnixMillis,
) -> Result<i64, DbError> {
    let old = woosh_messages::table
        .filter(woosh_messages::account_id.eq(account))
        .filter(woosh_messages::message_id.le(through))
        .filter(woosh_messages::sent_at.lt(before));
    let removed: Vec<i32> =
        on_backend!(conn, |c| diesel::delete(old).returning(woosh_messages::content_bytes).get_results(c))?;
    let count = i64::try_from(removed.len()).map_err(DbError::other)?;
    let bytes: i64 = removed.into_iter().map(i64::from).sum();
    diesel::update(woosh_inboxes::table.find(account))
        .set((
            woosh_inboxes::message_count.eq(woosh_inboxes::message_count - count),
            woosh_inboxes::byte_count.eq(woosh_inboxes::byte_count - bytes),
        ))
        .execute(conn)?;
    Ok(count)
}

/// Finds an inbox with a message that was sent before `before`.
pub(crate) fn with_old(conn: &mut DbConn, before: UnixMillis) -> Result<Option<AccountId>, DbError> {
    let old = woosh_messages::table.filter(woosh_messages::sent_at.lt(before));
    Ok(old.order(woosh_messages::sent_at).select(woosh_messages::account_id).first(conn).optional()?)
}

/// Removes an inbox with all it holds.
pub(crate) fn erase(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(woosh_inboxes::table.find(account)).execute(conn)?;
    diesel::delete(woosh_messages::table.filter(woosh_messages::account_id.eq(account))).execute(conn)?;
    Ok(())
}
