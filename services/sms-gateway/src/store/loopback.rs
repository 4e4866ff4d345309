//! The statuses of the loop-back client whose time has come.

use std::collections::HashMap;

use common::models::UnixMillis;
use db::DbConn;
use diesel::prelude::*;

use super::rows::{DueRow, StatusRow};
use super::schema::sms_due_statuses;
use super::statuses::{self, NewStatus};
use super::{Rules, StoreError, attempts};
use crate::domain::attempt::{Emission, JobKey};
use crate::domain::state::JobState;

/// Publishes up to `limit` statuses that are due, and ends the attempts whose last one it was. Rows that another
/// instance holds are left to it.
pub(crate) fn publish_due(
    conn: &mut DbConn,
    rules: &Rules,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<StatusRow>, StoreError> {
    use sms_due_statuses::{due_at, step, table};
    let due = || table.filter(due_at.le(now)).order((due_at, step.desc())).limit(limit);
    let rows: Vec<DueRow> = match conn {
        DbConn::Pg(c) => due().for_update().skip_locked().select(DueRow::as_select()).load(c)?,
        DbConn::Sqlite(c) => due().select(DueRow::as_select()).load(c)?,
    };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<JobKey> = rows.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut loaded: HashMap<JobKey, attempts::Loaded> =
        attempts::lock(conn, &keys)?.into_iter().map(|one| (one.attempt.key.clone(), one)).collect();
    let mut new = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(one) = loaded.get_mut(&key(row)) else { continue };
        // What the markers ask for is published as asked, twice SENT and SENT after DELIVERED included.
        one.attempt.emitted.insert(row.status);
        if row.step == 0 {
            one.attempt.state = JobState::ended(row.status);
            one.attempt.holds = one.attempt.state.holds();
        }
        new.push(NewStatus {
            client_id: row.client_id.clone(),
            correl_id: one.attempt.correl_id.clone(),
            emission: Emission { status: row.status, recall_id: None, error_text: row.error_text.clone() },
            simulated: false,
            possible_duplicate: false,
            trace: one.trace,
        });
    }
    for row in &rows {
        diesel::delete(table.find((&row.client_id, &row.job_id, row.step))).execute(conn)?;
    }
    attempts::save(conn, rules, loaded.into_values().collect(), now)?;
    statuses::publish(conn, rules, new, now)
}

fn key(row: &DueRow) -> JobKey {
    JobKey { client_id: row.client_id.clone(), id: row.job_id.clone() }
}

/// Tells when the next status is due.
pub(crate) fn next_due(conn: &mut DbConn) -> Result<Option<UnixMillis>, StoreError> {
    use sms_due_statuses::{due_at, table};
    Ok(table.order(due_at).select(due_at).first(conn).optional()?)
}
