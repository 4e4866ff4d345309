//! PostgreSQL's hot statements on the table, each prepared once.

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};

use super::relay::Columns;
use crate::Record;

enum Insert {}

impl BatchSql for Insert {
    const SQL: &'static str = "INSERT INTO outbox (topic, record_key, record_value, headers, created_at) \
        SELECT topic, key, value, headers, {now} FROM {r} ORDER BY number";
    type Row = ();
}

/// Inserts records in their order, with their headers.
pub(super) fn insert(
    conn: &mut PgConnection,
    records: &[Record],
    headers: &[String],
    now: UnixMillis,
) -> QueryResult<()> {
    let rows: Vec<(&Record, &String)> = records.iter().zip(headers).collect();
    let rows = Rows::of(&rows)
        .numbered("number")
        .column::<Text, _>("topic", |(record, _)| record.topic.as_str())
        .column::<Nullable<Binary>, _>("key", |(record, _)| record.key.as_deref())
        .column::<Nullable<Binary>, _>("value", |(record, _)| record.value.as_deref())
        .column::<Text, _>("headers", |(_, headers)| headers.as_str());
    let insert = BatchQuery::<Insert>::new().rows("r", rows).value::<BigInt, _>("now", now.as_i64());
    insert.execute(conn).map(|_| ())
}

enum Pending {}

impl BatchSql for Pending {
    const SQL: &'static str = "SELECT id, topic, record_key, record_value, headers FROM outbox \
        WHERE published_at IS NULL AND id <> ALL({refused}) ORDER BY id LIMIT {limit}";
    type Row = (BigInt, Text, Nullable<Binary>, Nullable<Binary>, Text);
}

/// Reads the next rows to publish.
pub(super) fn pending(conn: &mut PgConnection, limit: i64, refused: Vec<i64>) -> QueryResult<Vec<Columns>> {
    let pending = BatchQuery::<Pending>::new().value::<Array<BigInt>, _>("refused", refused);
    pending.value::<BigInt, _>("limit", limit).load(conn)
}

enum Mark {}

impl BatchSql for Mark {
    const SQL: &'static str = "UPDATE outbox SET published_at = {now} WHERE id = ANY({ids})";
    type Row = ();
}

/// Notes when rows were published.
pub(super) fn mark(conn: &mut PgConnection, ids: Vec<i64>, now: UnixMillis) -> QueryResult<()> {
    let mark = BatchQuery::<Mark>::new().value::<Array<BigInt>, _>("ids", ids);
    mark.value::<BigInt, _>("now", now.as_i64()).execute(conn).map(|_| ())
}
