//! Messages that are not whole, and what has come lately.

use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::DbConn;
use diesel::prelude::*;

use crate::domain::inbound::Fragment;
use crate::store::StoreError;
use crate::store::schema::{sms_inbound, sms_inbound_messages, sms_inbound_parts, sms_inbound_seen};

/// Rows of one round at most.
pub(crate) const ROUND: usize = 256;

/// A row of `sms_inbound_messages`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_inbound_messages)]
pub(super) struct MessageRow {
    pub(super) message_key: String,
    pub(super) smsc: SmscName,
    pub(super) recipient: String,
    pub(super) total: i32,
    pub(super) since: UnixMillis,
}

/// A row of `sms_inbound_parts`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_inbound_parts)]
pub(super) struct PartRow {
    pub(super) message_key: String,
    pub(super) part: i32,
    pub(super) digest: String,
    pub(super) sealed: Vec<u8>,
}

impl PartRow {
    pub(super) fn new(name: &str, part: u8, digest: String, sealed: Vec<u8>) -> Self {
        Self { message_key: name.to_owned(), part: part.into(), digest, sealed }
    }
}

/// Locks the row of a message until the end of the transaction, and makes it if there is none.
pub(super) fn lock(
    conn: &mut DbConn,
    name: &str,
    fragment: &Fragment,
    total: u8,
    now: UnixMillis,
) -> QueryResult<()> {
    let row = MessageRow {
        message_key: name.to_owned(),
        smsc: fragment.smsc.clone(),
        recipient: fragment.to.clone(),
        total: total.into(),
        since: now,
    };
    // A conflict that does nothing would lock nothing.
    db::on_backend!(conn, |c| diesel::insert_into(sms_inbound_messages::table)
        .values(&row)
        .on_conflict(sms_inbound_messages::message_key)
        .do_update()
        .set(sms_inbound_messages::total.eq(row.total))
        .execute(c))?;
    Ok(())
}

/// Locks a message whose first part came before; `None` when it is whole by now, or another instance closes it.
pub(super) fn lock_overdue(
    conn: &mut DbConn,
    name: &str,
    before: UnixMillis,
) -> QueryResult<Option<MessageRow>> {
    use sms_inbound_messages::{since, table, total};
    let overdue = table.find(name).filter(since.lt(before));
    if diesel::update(overdue).set(total.eq(total)).execute(conn)? == 0 {
        return Ok(None);
    }
    table.find(name).select(MessageRow::as_select()).first(conn).optional()
}

/// Takes back a [`lock`] that nothing came of: a row without parts goes.
pub(super) fn unlock(conn: &mut DbConn, name: &str) -> QueryResult<()> {
    let parts: i64 =
        sms_inbound_parts::table.filter(sms_inbound_parts::message_key.eq(name)).count().get_result(conn)?;
    if parts == 0 {
        forget(conn, name)?;
    }
    Ok(())
}

/// Reads the parts of a message that have come.
pub(super) fn of(conn: &mut DbConn, name: &str) -> QueryResult<Vec<PartRow>> {
    use sms_inbound_parts::{message_key, part, table};
    table.filter(message_key.eq(name)).order(part).select(PartRow::as_select()).load(conn)
}

/// Keeps a part of a locked message.
pub(super) fn keep(conn: &mut DbConn, row: &PartRow) -> QueryResult<()> {
    diesel::insert_into(sms_inbound_parts::table).values(row).execute(conn)?;
    Ok(())
}

/// Lets go of the parts of a locked message; those of another one follow, from now.
pub(super) fn clear(conn: &mut DbConn, name: &str, now: UnixMillis) -> QueryResult<()> {
    let parts = sms_inbound_parts::table.filter(sms_inbound_parts::message_key.eq(name));
    if diesel::delete(parts).execute(conn)? > 0 {
        let message = sms_inbound_messages::table.find(name);
        diesel::update(message).set(sms_inbound_messages::since.eq(now)).execute(conn)?;
    }
    Ok(())
}

/// Lets go of a message, and of its parts.
pub(super) fn forget(conn: &mut DbConn, name: &str) -> QueryResult<()> {
    let parts = sms_inbound_parts::table.filter(sms_inbound_parts::message_key.eq(name));
    diesel::delete(parts).execute(conn)?;
    diesel::delete(sms_inbound_messages::table.find(name)).execute(conn)?;
    Ok(())
}

/// Notes what has come; tells whether the same has not come within `window`.
pub(super) fn is_first(
    conn: &mut DbConn,
    name: &str,
    window: Duration,
    now: UnixMillis,
) -> QueryResult<bool> {
    use sms_inbound_seen::{digest, seen_at, table};
    if window.is_zero() {
        return Ok(true);
    }
    diesel::delete(table.find(name).filter(seen_at.lt(now - window))).execute(conn)?;
    let row = (digest.eq(name), seen_at.eq(now));
    let new = db::on_backend!(conn, |c| diesel::insert_into(table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(new == 1)
}

/// A message that is not whole: when its first part came, and its name.
pub(crate) type Incomplete = (UnixMillis, String);

/// Finds messages whose first part came before, the oldest first and those up to `after` left out; fewer than
/// [`ROUND`] are the last ones.
pub(crate) fn overdue(
    conn: &mut DbConn,
    before: UnixMillis,
    after: Option<&Incomplete>,
) -> Result<Vec<Incomplete>, StoreError> {
    use sms_inbound_messages::{message_key, since, table};
    let (after_since, after_key) = after.map_or((UnixMillis(0), ""), |(at, name)| (*at, name.as_str()));
    let rest = since.gt(after_since).or(message_key.gt(after_key));
    let overdue = table.filter(since.lt(before).and(since.ge(after_since)).and(rest));
    Ok(overdue.order((since, message_key)).limit(ROUND as i64).select((since, message_key)).load(conn)?)
}

/// Forgets what came before `repeats`; and from before `retention`, messages for readers over HTTP, and parts whose owner
/// has not got a key since. Gives the number of rows.
pub(crate) fn prune(
    conn: &mut DbConn,
    repeats: UnixMillis,
    retention: UnixMillis,
) -> Result<usize, StoreError> {
    let seen = sms_inbound_seen::table.filter(sms_inbound_seen::seen_at.lt(repeats));
    let old = sms_inbound::table.filter(sms_inbound::received_at.lt(retention));
    let keyless = sms_inbound_messages::table.filter(sms_inbound_messages::since.lt(retention));
    let given_up = diesel::delete(keyless).execute(conn)?;
    if given_up > 0 {
        tracing::error!(
            messages = given_up,
            "messages from handsets are removed: their owner had no key for all of sms_gateway.retention"
        );
    }
    Ok(given_up + diesel::delete(seen).execute(conn)? + diesel::delete(old).execute(conn)?)
}
