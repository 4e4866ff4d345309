//! Connections that receivers of webhooks were told of, as each process says of its own.

use std::collections::HashSet;

use common::models::{ChannelTokenId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::schema::connections;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = connections)]
pub(crate) struct ConnectionRow {
    pub(crate) connection_id: String,
    pub(crate) channel: String,
    pub(crate) member: Option<String>,
    pub(crate) token_id: Option<ChannelTokenId>,
    pub(crate) process: String,
    pub(crate) expires_at: UnixMillis,
}

enum Put {}

impl BatchSql for Put {
    const SQL: &'static str = "INSERT INTO connections ({c.*}) SELECT * FROM {c} ON CONFLICT DO NOTHING";
    type Row = ();
}

/// Writes connections down.
pub(crate) fn put(conn: &mut DbConn, rows: &[ConnectionRow]) -> Result<(), DbError> {
    match conn {
        _ if rows.is_empty() => {}
        DbConn::Pg(c) => {
            let ids: Vec<Option<String>> =
                rows.iter().map(|row| row.token_id.map(|id| id.to_string())).collect();
            let numbered: Vec<(&ConnectionRow, &Option<String>)> = rows.iter().zip(&ids).collect();
            let rows = Rows::of(&numbered)
                .column::<Text, _>("connection_id", |(row, _)| row.connection_id.as_str())
                .column::<Text, _>("channel", |(row, _)| row.channel.as_str())
                .column::<Nullable<Text>, _>("member", |(row, _)| row.member.as_deref())
                .column::<Nullable<Text>, _>("token_id", |(_, id)| id.as_deref())
                .column::<Text, _>("process", |(row, _)| row.process.as_str())
                .column::<BigInt, _>("expires_at", |(row, _)| row.expires_at.as_i64());
            BatchQuery::<Put>::new().rows("c", rows).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(connections::table).values(row).on_conflict_do_nothing().execute(c)?;
            }
        }
    }
    Ok(())
}

/// Gives which of these connections are written down.
pub(crate) fn known(conn: &mut DbConn, ids: &[String]) -> Result<HashSet<String>, DbError> {
    let mut known = HashSet::new();
    for ids in ids.chunks(1000) {
        let rows = connections::table.filter(connections::connection_id.eq_any(ids));
        let found: Vec<String> = rows.select(connections::connection_id).load(conn)?;
        known.extend(found);
    }
    Ok(known)
}

/// Removes connections; gives those that were there.
pub(crate) fn remove(conn: &mut DbConn, ids: &[String]) -> Result<Vec<ConnectionRow>, DbError> {
    let mut removed = Vec::with_capacity(ids.len());
    for ids in ids.chunks(1000) {
        let rows = connections::table.filter(connections::connection_id.eq_any(ids));
        removed.extend(on_backend!(conn, |c| diesel::delete(rows)
            .returning(ConnectionRow::as_returning())
            .load(c))?);
    }
    Ok(removed)
}

/// Lets everything that a process has said be believed until `until`.
pub(crate) fn renew(conn: &mut DbConn, process: &str, until: UnixMillis) -> Result<(), DbError> {
    let own = connections::table.filter(connections::process.eq(process));
    diesel::update(own).set(connections::expires_at.eq(until)).execute(conn)?;
    Ok(())
}

/// Takes back everything that a process has said, and gives it.
pub(crate) fn withdraw(conn: &mut DbConn, process: &str) -> Result<Vec<ConnectionRow>, DbError> {
    let own = connections::table.filter(connections::process.eq(process));
    Ok(on_backend!(conn, |c| diesel::delete(own).returning(ConnectionRow::as_returning()).load(c))?)
}

/// Removes up to `limit` that are not believed any more, and gives them.
pub(crate) fn prune(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<Vec<ConnectionRow>, DbError> {
    let old = connections::table
        .filter(connections::expires_at.le(now))
        .order(connections::expires_at)
        .limit(limit)
        .select(connections::connection_id);
    let old: Vec<String> = old.load(conn)?;
    // Their process may have renewed them meanwhile.
    let rows = connections::table
        .filter(connections::connection_id.eq_any(&old))
        .filter(connections::expires_at.le(now));
    Ok(on_backend!(conn, |c| diesel::delete(rows).returning(ConnectionRow::as_returning()).load(c))?)
}
