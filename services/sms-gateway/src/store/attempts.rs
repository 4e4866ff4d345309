//! Attempts: read and locked together with their segments, to be changed by the domain and written back.

mod save;

use std::borrow::Borrow;
use std::collections::BTreeSet;

use common::models::UnixMillis;
use common::models::sms::JobId;
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use telemetry::TraceContext;

use super::quotas::Held;
use super::rows::{AttemptColumns, AttemptRow, PartColumns, PartRow};
use super::schema::{sms_jobs, sms_parts};
use super::statuses::NewStatus;
use super::{Rules, StoreError};
use crate::domain::attempt::{Attempt, Emission, JobKey, Part};
use crate::domain::state::JobState;

pub(crate) use save::{save, write};

/// An attempt, and what its row holds beside it.
pub(crate) struct Loaded {
    pub(crate) attempt: Attempt,
    /// How often it was tried.
    pub(crate) tries: i32,
    /// Concatenation reference of its segments, 0 for none.
    pub(crate) reference: i32,
    /// Keyed hash of the recipient's number.
    pub(crate) recipient: Option<String>,
    /// The trace of the request.
    pub(crate) trace: TraceContext,
    /// When what an SMSC has of it, or may have, began to leave.
    pub(crate) left_at: Option<UnixMillis>,
    delivered_at: Option<UnixMillis>,
    held: bool,
    charge: Held,
    before: Vec<Part>,
}

impl Loaded {
    /// Joins a job with its segments.
    fn new(key: JobKey, mut row: AttemptRow, parts: Vec<Part>) -> Result<Self, StoreError> {
        let (tries, reference) = (row.tries, row.reference);
        let (recipient, trace) = (row.recipient.take(), row.trace(&key.id));
        let (left_at, delivered_at) = (row.left_at, row.delivered_at);
        let charge = (row.charged, left_at);
        let attempt = row.attempt(key, parts)?;
        let (held, before) = (attempt.holds, attempt.parts.clone());
        Ok(Self { attempt, tries, reference, recipient, trace, left_at, delivered_at, held, charge, before })
    }

    /// Gives a segment.
    pub(crate) fn part(&self, number: i32) -> Option<&Part> {
        self.attempt.parts.iter().find(|part| part.number == number)
    }

    /// Addresses what the attempt says to its client.
    pub(crate) fn statuses(&self, rules: &Rules, emissions: Vec<Emission>) -> Vec<NewStatus> {
        let simulated = rules.is_simulated(self.attempt.smsc.as_ref());
        emissions
            .into_iter()
            .map(|emission| NewStatus {
                client_id: self.attempt.key.client_id.clone(),
                correl_id: self.attempt.correl_id.clone(),
                emission,
                simulated,
                possible_duplicate: self.attempt.possible_duplicate,
                trace: self.trace,
            })
            .collect()
    }
}

enum Lock {}

impl BatchSql for Lock {
    const SQL: &'static str = "SELECT k.place, {attempt} FROM {k} \
        JOIN sms_jobs ON sms_jobs.client_id = k.client_id AND sms_jobs.id = k.id \
        ORDER BY sms_jobs.client_id, sms_jobs.id FOR UPDATE OF sms_jobs";
    type Row = (Integer, AttemptColumns);
}

/// Reads jobs and locks them until the end of the transaction, always in the order of their keys, so that two
/// transactions cannot wait for each other. `keys` are sorted and distinct; those that are gone are left out.
pub(crate) fn lock(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<Loaded>, StoreError> {
    let rows: Vec<(i32, AttemptRow)> = match conn {
        DbConn::Pg(c) => {
            let jobs = BatchQuery::<Lock>::new().columns_of::<AttemptRow>("attempt");
            jobs.rows("k", key_rows(keys).numbered("place")).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::with_capacity(keys.len());
            for (place, key) in (0..).zip(keys) {
                let found = sms_jobs::table.find((&key.client_id, &key.id)).select(AttemptRow::as_select());
                rows.extend(found.first(c).optional()?.map(|row| (place, row)));
            }
            rows
        }
    };
    join(conn, keys, rows)
}

/// Finds the jobs that hold now the ids of those which have given them away, except where both are among `loaded`.
pub(crate) fn heirs(conn: &mut DbConn, loaded: &[Loaded]) -> Result<Vec<JobKey>, StoreError> {
    use sms_jobs::{client_id, correl_id, holds, id, table};
    let mut heirs = BTreeSet::new();
    for Attempt { key, correl_id: correl, .. } in
        loaded.iter().map(|one| &one.attempt).filter(|attempt| !attempt.holds)
    {
        let same = client_id.eq(&key.client_id).and(correl_id.eq(correl)).and(holds.eq(true));
        let found: Option<JobId> = table.filter(same).select(id).first(conn).optional()?;
        heirs.extend(found.map(|found| JobKey { client_id: key.client_id.clone(), id: found }));
    }
    heirs.retain(|heir| loaded.iter().all(|one| one.attempt.key != *heir));
    Ok(heirs.into_iter().collect())
}

enum LockQueued {}

impl BatchSql for LockQueued {
    const SQL: &'static str = "SELECT k.place, {attempt} FROM {k} \
        JOIN sms_jobs ON sms_jobs.client_id = k.client_id AND sms_jobs.id = k.id \
        WHERE sms_jobs.state = 'queued' AND (SELECT pg_advisory_xact_lock_shared(5210451) IS NOT NULL) \
        ORDER BY sms_jobs.client_id, sms_jobs.id FOR UPDATE OF sms_jobs SKIP LOCKED";
    type Row = (Integer, AttemptColumns);
}

/// Does as [`lock`] with those jobs that are still queued and that no other transaction holds. On PostgreSQL it takes
/// the gate of [`super::opt_outs::under_way`] first.
pub(crate) fn lock_queued(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<Loaded>, StoreError> {
    match conn {
        DbConn::Pg(c) => {
            let jobs = BatchQuery::<LockQueued>::new().columns_of::<AttemptRow>("attempt");
            let rows: Vec<(i32, AttemptRow)> = jobs.rows("k", key_rows(keys).numbered("place")).load(c)?;
            join(conn, keys, rows)
        }
        // The transaction has the file to itself.
        DbConn::Sqlite(_) => {
            let mut loaded = lock(conn, keys)?;
            loaded.retain(|one| one.attempt.state == JobState::Queued);
            Ok(loaded)
        }
    }
}

/// Adds their segments to jobs, each of which is at its place among `keys`.
fn join(conn: &mut DbConn, keys: &[JobKey], rows: Vec<(i32, AttemptRow)>) -> Result<Vec<Loaded>, StoreError> {
    let key_of = |place: i32| usize::try_from(place).ok().and_then(|place| keys.get(place));
    let jobs: Vec<(&JobKey, AttemptRow)> =
        rows.into_iter().filter_map(|(place, row)| Some((key_of(place)?, row))).collect();
    let cut: Vec<&JobKey> = jobs.iter().filter(|(_, row)| row.segments > 0).map(|(key, _)| *key).collect();
    let mut parts = parts_of(conn, &cut)?.into_iter();
    jobs.into_iter()
        .map(|(key, row)| {
            let parts = if row.segments > 0 { parts.next() } else { None };
            Loaded::new(key.clone(), row, parts.unwrap_or_default())
        })
        .collect()
}

enum Parts {}

impl BatchSql for Parts {
    const SQL: &'static str = "SELECT k.place, {part} FROM {k} \
        JOIN sms_parts ON sms_parts.client_id = k.client_id AND sms_parts.job_id = k.id \
        ORDER BY sms_parts.part";
    type Row = (Integer, PartColumns);
}

/// Reads the segments of jobs, each job's in order; as many lists as there are `keys`.
fn parts_of(conn: &mut DbConn, keys: &[&JobKey]) -> Result<Vec<Vec<Part>>, StoreError> {
    let mut parts: Vec<Vec<Part>> = keys.iter().map(|_| Vec::new()).collect();
    match conn {
        _ if keys.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = BatchQuery::<Parts>::new().columns_of::<PartRow>("part");
            let rows: Vec<(i32, PartRow)> = rows.rows("k", key_rows(keys).numbered("place")).load(c)?;
            for (place, row) in rows {
                if let Some(of_job) = usize::try_from(place).ok().and_then(|place| parts.get_mut(place)) {
                    of_job.push(row.segment()?);
                }
            }
        }
        DbConn::Sqlite(c) => {
            for (key, of_job) in keys.iter().zip(&mut parts) {
                let same = sms_parts::client_id.eq(&key.client_id).and(sms_parts::job_id.eq(&key.id));
                let found = sms_parts::table.filter(same).order(sms_parts::part).select(PartRow::as_select());
                for row in found.load::<PartRow>(c)? {
                    of_job.push(row.segment()?);
                }
            }
        }
    }
    Ok(parts)
}

/// Lays out the keys of jobs in columns.
pub(super) fn key_rows<K: Borrow<JobKey>>(keys: &[K]) -> Rows<'_, K> {
    Rows::of(keys)
        .column::<Text, _>("client_id", |key| key.borrow().client_id.as_str())
        .column::<Text, _>("id", |key| key.borrow().id.as_str())
}
