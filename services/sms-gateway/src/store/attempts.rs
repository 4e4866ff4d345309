//! Attempts: read and locked together with their segments, to be changed by the domain and written back.

mod save;

use std::collections::HashMap;

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::Text;
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
    fn new(row: AttemptRow, parts: Vec<Part>) -> Result<Self, StoreError> {
        let (tries, reference) = (row.tries, row.reference);
        let (recipient, trace) = (row.recipient.clone(), row.trace());
        let (left_at, delivered_at) = (row.left_at, row.delivered_at);
        let charge = (row.charged, left_at);
        let attempt = row.attempt(parts)?;
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
    const SQL: &'static str = "SELECT {attempt} FROM {k} \
        JOIN sms_jobs ON sms_jobs.client_id = k.client_id AND sms_jobs.id = k.id \
        ORDER BY sms_jobs.client_id, sms_jobs.id FOR UPDATE OF sms_jobs";
    type Row = AttemptColumns;
}

/// Reads jobs and locks them until the end of the transaction, always in the order of their keys, so that two
/// transactions cannot wait for each other. `keys` are sorted and distinct; those that are gone are left out.
pub(crate) fn lock(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<Loaded>, StoreError> {
    let rows: Vec<AttemptRow> = match conn {
        DbConn::Pg(c) => {
            BatchQuery::<Lock>::new().columns_of::<AttemptRow>("attempt").rows("k", key_rows(keys)).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                let found = sms_jobs::table.find((&key.client_id, &key.id)).select(AttemptRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            rows
        }
    };
    join(conn, rows)
}

enum LockQueued {}

impl BatchSql for LockQueued {
    const SQL: &'static str = "SELECT {attempt} FROM {k} \
        JOIN sms_jobs ON sms_jobs.client_id = k.client_id AND sms_jobs.id = k.id \
        WHERE sms_jobs.state = 'queued' AND (SELECT pg_advisory_xact_lock_shared(5210451) IS NOT NULL) \
        ORDER BY sms_jobs.client_id, sms_jobs.id FOR UPDATE OF sms_jobs SKIP LOCKED";
    type Row = AttemptColumns;
}

/// Does as [`lock`] with those jobs that are still queued and that no other transaction holds. On PostgreSQL it takes
/// the gate of [`super::opt_outs::under_way`] first.
pub(crate) fn lock_queued(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<Loaded>, StoreError> {
    match conn {
        DbConn::Pg(c) => {
            let jobs = BatchQuery::<LockQueued>::new().columns_of::<AttemptRow>("attempt");
            let rows: Vec<AttemptRow> = jobs.rows("k", key_rows(keys)).load(c)?;
            join(conn, rows)
        }
        // The transaction has the file to itself.
        DbConn::Sqlite(_) => {
            let mut loaded = lock(conn, keys)?;
            loaded.retain(|one| one.attempt.state == JobState::Queued);
            Ok(loaded)
        }
    }
}

/// Adds their segments to jobs.
fn join(conn: &mut DbConn, rows: Vec<AttemptRow>) -> Result<Vec<Loaded>, StoreError> {
    let keys: Vec<JobKey> = rows.iter().filter(|row| row.segments > 0).map(AttemptRow::key).collect();
    let mut parts: HashMap<JobKey, Vec<Part>> = HashMap::with_capacity(keys.len());
    for row in parts_of(conn, &keys)? {
        let (key, part) = row.split()?;
        parts.entry(key).or_default().push(part);
    }
    rows.into_iter()
        .map(|row| {
            let parts = parts.remove(&row.key()).unwrap_or_default();
            Loaded::new(row, parts)
        })
        .collect()
}

enum Parts {}

impl BatchSql for Parts {
    const SQL: &'static str = "SELECT {part} FROM {k} \
        JOIN sms_parts ON sms_parts.client_id = k.client_id AND sms_parts.job_id = k.id \
        ORDER BY sms_parts.part";
    type Row = PartColumns;
}

/// Reads the segments of jobs, each job's in order.
fn parts_of(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<PartRow>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match conn {
        DbConn::Pg(c) => {
            BatchQuery::<Parts>::new().columns_of::<PartRow>("part").rows("k", key_rows(keys)).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for key in keys {
                let of_job = sms_parts::client_id.eq(&key.client_id).and(sms_parts::job_id.eq(&key.id));
                let parts = sms_parts::table.filter(of_job).order(sms_parts::part);
                rows.extend(parts.select(PartRow::as_select()).load::<PartRow>(c)?);
            }
            rows
        }
    })
}

/// Lays out the keys of jobs in columns.
pub(super) fn key_rows(keys: &[JobKey]) -> Rows<'_, JobKey> {
    Rows::of(keys)
        .column::<Text, _>("client_id", |key| key.client_id.as_str())
        .column::<Text, _>("id", |key| key.id.as_str())
}
