//! Attempts: read and locked together with their segments, changed by the domain, and written back.

use std::collections::HashMap;

use common::models::UnixMillis;
use db::DbConn;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};
use diesel::upsert::excluded;
use sms::message_id::response_key;

use super::rows::{JobRow, PartRow};
use super::schema::{sms_jobs, sms_parts};
use super::statuses::NewStatus;
use super::{Rules, StoreError};
use crate::domain::attempt::{Attempt, Emission, JobKey, Part};
use crate::domain::state::JobState;

/// An attempt and the row it came from.
pub(crate) struct Loaded {
    pub(crate) row: JobRow,
    pub(crate) attempt: Attempt,
    before: Vec<Part>,
}

impl Loaded {
    /// Joins a job with its segments.
    pub(crate) fn new(row: JobRow, parts: Vec<Part>) -> Result<Self, StoreError> {
        let attempt = row.attempt(parts)?;
        Ok(Self { row, before: attempt.parts.clone(), attempt })
    }

    /// Addresses what the attempt says to its client.
    pub(crate) fn statuses(&self, rules: &Rules, emissions: Vec<Emission>) -> Vec<NewStatus> {
        let simulated = rules.is_simulated(self.attempt.smsc.as_deref());
        emissions
            .into_iter()
            .map(|emission| NewStatus {
                client_id: self.row.client_id.clone(),
                correl_id: self.row.correl_id.clone(),
                emission,
                simulated,
                possible_duplicate: self.attempt.possible_duplicate,
                traceparent: self.row.traceparent.clone(),
            })
            .collect()
    }
}

/// Reads jobs and locks them until the end of the transaction, always in the order of their keys, so that two
/// transactions cannot wait for each other. `keys` are sorted and distinct; those that are gone are left out.
pub(crate) fn lock(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<Loaded>, StoreError> {
    let rows: Vec<JobRow> = match conn {
        DbConn::Pg(c) => {
            let (clients, ids) = columns(keys);
            let among = sql::<Bool>("(client_id, id) IN (SELECT * FROM unnest(")
                .bind::<Array<Text>, _>(clients)
                .sql(", ")
                .bind::<Array<Text>, _>(ids)
                .sql("))");
            sms_jobs::table
                .filter(among)
                .order((sms_jobs::client_id, sms_jobs::id))
                .for_update()
                .select(JobRow::as_select())
                .load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                let found = sms_jobs::table.find((&key.client_id, &key.id)).select(JobRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            rows
        }
    };
    join(conn, rows)
}

/// Adds their segments to jobs.
pub(crate) fn join(conn: &mut DbConn, rows: Vec<JobRow>) -> Result<Vec<Loaded>, StoreError> {
    let keys: Vec<JobKey> = rows.iter().filter(|row| row.segments > 0).map(JobRow::key).collect();
    let mut parts: HashMap<JobKey, Vec<Part>> = HashMap::new();
    for row in parts_of(conn, &keys)? {
        parts.entry(row.key()).or_default().push(row.part()?);
    }
    rows.into_iter()
        .map(|row| {
            let parts = parts.remove(&row.key()).unwrap_or_default();
            Loaded::new(row, parts)
        })
        .collect()
}

fn parts_of(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<PartRow>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match conn {
        DbConn::Pg(c) => {
            let (clients, ids) = columns(keys);
            let among = sql::<Bool>("(client_id, job_id) IN (SELECT * FROM unnest(")
                .bind::<Array<Text>, _>(clients)
                .sql(", ")
                .bind::<Array<Text>, _>(ids)
                .sql("))");
            sms_parts::table
                .filter(among)
                .order((sms_parts::client_id, sms_parts::job_id, sms_parts::part))
                .select(PartRow::as_select())
                .load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for key in keys {
                let of_job = sms_parts::client_id.eq(&key.client_id).and(sms_parts::job_id.eq(&key.id));
                rows.extend(
                    sms_parts::table
                        .filter(of_job)
                        .order(sms_parts::part)
                        .select(PartRow::as_select())
                        .load::<PartRow>(c)?,
                );
            }
            rows
        }
    })
}

fn columns(keys: &[JobKey]) -> (Vec<&str>, Vec<&str>) {
    keys.iter().map(|key| (key.client_id.as_str(), key.id.as_str())).unzip()
}

/// Writes attempts back: the jobs, and those segments that have changed.
pub(crate) fn save(
    conn: &mut DbConn,
    rules: &Rules,
    loaded: Vec<Loaded>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut jobs = Vec::with_capacity(loaded.len());
    let mut parts = Vec::new();
    for mut one in loaded {
        for part in one.attempt.parts.iter().filter(|part| !one.before.contains(part)) {
            let key = part.message_id.as_deref().map(|id| response_key(id, rules.id_base(&part.smsc)));
            parts.push(PartRow::of(&one.attempt.key, part, key, now));
        }
        let held = one.row.holds;
        one.row.update(&one.attempt, now);
        if one.row.holds && !held {
            one.row.holds = take_back(conn, &one.row, now)?;
        }
        jobs.push(one.row);
    }
    save_jobs(conn, &jobs)?;
    save_parts(conn, &parts)
}

/// An attempt that was given up has succeeded after all: cancels a later one that has not been sent yet, and says
/// whether the ids are its own again.
fn take_back(conn: &mut DbConn, row: &JobRow, now: UnixMillis) -> Result<bool, StoreError> {
    use sms_jobs::{client_id, correl_id, due_at, holds, payload, state, table, updated_at};
    let same = || client_id.eq(&row.client_id).and(correl_id.eq(&row.correl_id)).and(holds.eq(true));
    diesel::update(table.filter(same()).filter(state.eq(JobState::Queued.as_str())))
        .set((
            state.eq(JobState::Cancelled.as_str()),
            holds.eq(false),
            payload.eq(None::<String>),
            due_at.eq(None::<i64>),
            updated_at.eq(now),
        ))
        .execute(conn)?;
    let others: i64 = table.filter(same()).count().get_result(conn)?;
    Ok(others == 0)
}

fn save_jobs(conn: &mut DbConn, rows: &[JobRow]) -> Result<(), StoreError> {
    use sms_jobs::{
        client_id, due_at, emitted, holds, id, payload, pinned, possible_duplicate, recall_id, reference,
        resends, segments, smsc, state, table, tries, updated_at,
    };
    if rows.is_empty() {
        return Ok(());
    }
    match conn {
        DbConn::Pg(c) => {
            diesel::insert_into(table)
                .values(rows)
                .on_conflict((client_id, id))
                .do_update()
                .set((
                    state.eq(excluded(state)),
                    holds.eq(excluded(holds)),
                    emitted.eq(excluded(emitted)),
                    payload.eq(excluded(payload)),
                    due_at.eq(excluded(due_at)),
                    pinned.eq(excluded(pinned)),
                    possible_duplicate.eq(excluded(possible_duplicate)),
                    resends.eq(excluded(resends)),
                    tries.eq(excluded(tries)),
                    segments.eq(excluded(segments)),
                    reference.eq(excluded(reference)),
                    smsc.eq(excluded(smsc)),
                    recall_id.eq(excluded(recall_id)),
                    updated_at.eq(excluded(updated_at)),
                ))
                .execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::update(table.find((&row.client_id, &row.id))).set(row).execute(c)?;
            }
        }
    }
    Ok(())
}

fn save_parts(conn: &mut DbConn, rows: &[PartRow]) -> Result<(), StoreError> {
    use sms_parts::{
        client_id, job_id, message_id, message_key, part, receipt, receipt_error, refusal, smsc, state,
        table, updated_at,
    };
    if rows.is_empty() {
        return Ok(());
    }
    match conn {
        DbConn::Pg(c) => {
            diesel::insert_into(table)
                .values(rows)
                .on_conflict((client_id, job_id, part))
                .do_update()
                .set((
                    smsc.eq(excluded(smsc)),
                    state.eq(excluded(state)),
                    message_id.eq(excluded(message_id)),
                    message_key.eq(excluded(message_key)),
                    refusal.eq(excluded(refusal)),
                    receipt.eq(excluded(receipt)),
                    receipt_error.eq(excluded(receipt_error)),
                    updated_at.eq(excluded(updated_at)),
                ))
                .execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(table)
                    .values(row)
                    .on_conflict((client_id, job_id, part))
                    .do_update()
                    .set(row)
                    .execute(c)?;
            }
        }
    }
    Ok(())
}
