//! Envelopes of version 2 that were opened: none is taken from a second record, until its deadline has passed and the
//! record is too late anyway.

use std::collections::{HashMap, HashSet};

use common::models::sms::{ClientId, JobId};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::StoreError;
use super::intake::NewAttempt;
use super::schema::sms_seals;

/// A row of `sms_seals`: whose envelope, and from which record it came first.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_seals)]
struct SealRow {
    client_id: ClientId,
    seal: String,
    source_topic: String,
    source_partition: i32,
    source_offset: i64,
    expires_at: common::models::UnixMillis,
}

impl SealRow {
    fn of(attempt: &NewAttempt) -> Option<Self> {
        let row = &attempt.row;
        Some(Self {
            client_id: row.client_id.clone(),
            seal: attempt.seal.clone()?,
            source_topic: row.source_topic.clone(),
            source_partition: row.source_partition,
            source_offset: row.source_offset,
            expires_at: row.deadline,
        })
    }

    fn is_from_the_record_of(&self, attempt: &NewAttempt) -> bool {
        let row = &attempt.row;
        (self.source_topic.as_str(), self.source_partition, self.source_offset)
            == (row.source_topic.as_str(), row.source_partition, row.source_offset)
    }
}

/// Notes the envelopes of a batch, and names the attempts (by the ids of their rows) whose envelope came in another
/// record before.
pub(super) fn repeated(conn: &mut DbConn, batch: &[NewAttempt]) -> Result<HashSet<JobId>, StoreError> {
    use sms_seals::{client_id, seal, table};
    let rows: Vec<SealRow> = batch.iter().filter_map(SealRow::of).collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let known: Vec<SealRow> = match conn {
        DbConn::Pg(c) => {
            insert(c, &rows)?;
            let keys = Rows::of(&rows)
                .column::<Text, _>("client_id", |row| row.client_id.as_str())
                .column::<Text, _>("seal", |row| row.seal.as_str());
            BatchQuery::<Find>::new().columns_of::<SealRow>("seal").rows("k", keys).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut known = Vec::with_capacity(rows.len());
            for row in &rows {
                diesel::insert_into(table).values(row).on_conflict_do_nothing().execute(c)?;
                let same = client_id.eq(&row.client_id).and(seal.eq(&row.seal));
                known.push(table.filter(same).select(SealRow::as_select()).first(c)?);
            }
            known
        }
    };
    let known: HashMap<_, _> =
        known.into_iter().map(|row| ((row.client_id.clone(), row.seal.clone()), row)).collect();
    let is_repeated = |attempt: &&NewAttempt| {
        let key = attempt.seal.clone().map(|name| (attempt.row.client_id.clone(), name));
        let first = key.and_then(|key| known.get(&key));
        first.is_some_and(|first| !first.is_from_the_record_of(attempt))
    };
    Ok(batch.iter().filter(is_repeated).map(|attempt| attempt.row.id.clone()).collect())
}

enum Insert {}

impl BatchSql for Insert {
    const SQL: &'static str = "INSERT INTO sms_seals ({n.*}) SELECT * FROM {n} ON CONFLICT DO NOTHING";
    type Row = ();
}

fn insert(conn: &mut PgConnection, rows: &[SealRow]) -> QueryResult<()> {
    let rows = Rows::of(rows)
        .column::<Text, _>("client_id", |row| row.client_id.as_str())
        .column::<Text, _>("seal", |row| row.seal.as_str())
        .column::<Text, _>("source_topic", |row| row.source_topic.as_str())
        .column::<Integer, _>("source_partition", |row| row.source_partition)
        .column::<BigInt, _>("source_offset", |row| row.source_offset)
        .column::<BigInt, _>("expires_at", |row| row.expires_at.as_i64());
    BatchQuery::<Insert>::new().rows("n", rows).execute(conn).map(|_| ())
}

enum Find {}

impl BatchSql for Find {
    const SQL: &'static str = "SELECT {seal} FROM {k} \
        JOIN sms_seals ON sms_seals.client_id = k.client_id AND sms_seals.seal = k.seal";
    type Row = SqlTypeOf<<SealRow as Selectable<Pg>>::SelectExpression>;
}
