//! Envelopes of version 2 that were opened: none is taken from a second record, until its deadline has passed and the
//! record is too late anyway.

use std::collections::{HashMap, HashSet};

use common::models::sms::ClientId;
use db::DbConn;
use diesel::prelude::*;

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
pub(super) fn repeated(conn: &mut DbConn, batch: &[NewAttempt]) -> Result<HashSet<String>, StoreError> {
    use sms_seals::{client_id, seal, table};
    let rows: Vec<SealRow> = batch.iter().filter_map(SealRow::of).collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let seals: Vec<&str> = rows.iter().map(|row| row.seal.as_str()).collect();
    let known: Vec<SealRow> = match conn {
        DbConn::Pg(c) => {
            diesel::insert_into(table).values(&rows).on_conflict_do_nothing().execute(c)?;
            table.filter(seal.eq_any(&seals)).select(SealRow::as_select()).load(c)?
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
