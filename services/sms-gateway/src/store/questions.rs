//! Messages whose receipt has not come, and about which their SMSC is to be asked.

use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::{ClientId, JobId};
use db::DbConn;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::rows::JobRow;
use super::schema::sms_jobs;
use super::upkeep::ROUND;
use super::{Rules, StoreError, attempts, queue};
use crate::domain::attempt::JobKey;
use crate::domain::state::JobState;

/// How long after a message its SMSC is still asked: SMSCs forget what has ended in a day or two.
const ASK_FOR: Duration = Duration::from_secs(3 * 86_400);

/// What is to be asked about one message.
pub(crate) struct Question {
    /// The message, with its payload.
    pub(crate) row: JobRow,
    /// Its segments, with the SMSC's ids.
    pub(crate) parts: Vec<(i32, String)>,
}

/// Takes the questions that are due. Each message's next one is due when it has waited as long again, so that no other
/// instance asks at the same time, and a silent SMSC is asked less and less.
pub(crate) fn take(conn: &mut DbConn, rules: &Rules, now: UnixMillis) -> Result<Vec<Question>, StoreError> {
    use sms_jobs::{client_id, due_at, id, state, table};
    let due: Vec<(ClientId, JobId)> = table
        // The condition of the index, word for word.
        .filter(sql::<Bool>("state <> 'queued'"))
        .filter(state.eq(JobState::Sent.as_str()).and(due_at.le(now)))
        .order(due_at)
        .limit(ROUND)
        .select((client_id, id))
        .load(conn)?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<JobKey> =
        due.into_iter().map(|(client, job)| JobKey { client_id: client, id: job }).collect();
    keys.sort_unstable();
    let mut loaded = attempts::lock(conn, &keys)?;
    let rows = queue::rows(conn, &keys)?;
    let mut questions = Vec::with_capacity(loaded.len());
    for row in rows {
        let Some(one) = loaded.iter_mut().find(|one| one.attempt.key == row.key()) else { continue };
        if one.attempt.state != JobState::Sent || one.attempt.due_at.is_none_or(|due| due > now) {
            continue;
        }
        let age = now - row.created_at;
        one.attempt.due_at = (age < ASK_FOR).then(|| now + age);
        questions.push(Question { row, parts: one.attempt.untold() });
    }
    attempts::save(conn, rules, loaded, now)?;
    Ok(questions)
}
