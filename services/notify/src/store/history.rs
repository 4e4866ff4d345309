//! Notifications that were published, for clients that come back.

use common::models::{NotificationId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::notifications;
use crate::domain::ChannelName;

/// A notification as it is kept.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notifications)]
pub(crate) struct NotificationRow {
    pub(crate) channel_offset: i64,
    pub(crate) notification_id: NotificationId,
    pub(crate) data: Vec<u8>,
    pub(crate) published_at: UnixMillis,
}

/// Which part of a history to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// Only greater offsets.
    pub(crate) after: i64,
    /// Only what has not expired by then.
    pub(crate) now: UnixMillis,
    /// Most notifications.
    pub(crate) limit: usize,
    /// Most bytes; the first notification always fits.
    pub(crate) bytes: usize,
}

/// Reads a page, in order.
pub(crate) fn page(
    conn: &mut DbConn,
    channel: &ChannelName,
    request: PageRequest,
) -> Result<Vec<NotificationRow>, DbError> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let mut rows: Vec<NotificationRow> = notifications::table
        .filter(notifications::channel.eq(channel.as_str()))
        .filter(notifications::channel_offset.gt(request.after))
        .filter(notifications::expires_at.gt(request.now))
        .order(notifications::channel_offset)
        .limit(limit)
        .select(NotificationRow::as_select())
        .load(conn)?;
    let mut bytes = 0;
    let fitting = rows.iter().enumerate().take_while(|(place, row)| {
        bytes += row.data.len();
        *place == 0 || bytes <= request.bytes
    });
    let fitting = fitting.count();
    rows.truncate(fitting);
    Ok(rows)
}

/// Removes up to `limit` notifications whose time has passed; returns how many.
pub(crate) fn expire(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<usize, DbError> {
    const POSTGRES: &str = "DELETE FROM notifications WHERE ctid = ANY(ARRAY(SELECT ctid FROM notifications \
        WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const SQLITE: &str = "DELETE FROM notifications WHERE rowid IN (SELECT rowid FROM notifications \
        WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    Ok(match conn {
        DbConn::Pg(c) => {
            diesel::sql_query(POSTGRES).bind::<BigInt, _>(now).bind::<BigInt, _>(limit).execute(c)?
        }
        DbConn::Sqlite(c) => {
            diesel::sql_query(SQLITE).bind::<BigInt, _>(now).bind::<BigInt, _>(limit).execute(c)?
        }
    })
}
