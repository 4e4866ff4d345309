//! What is done because time has passed: giving up, expiring, forgetting.

use common::models::UnixMillis;
use common::models::sms::{ClientId, JobId, SmsState};
use db::{DbConn, MultiBackend};
use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::rows::StatusRow;
use super::schema::{sms_jobs, sms_receipts, sms_references, sms_seals, sms_statuses};
use super::{Rules, StoreError, attempts, quotas, report, statuses};
use crate::domain::attempt::{Attempt, Emission, JobKey, TOO_LATE};
use crate::domain::route::Hopeless;
use crate::domain::state::JobState;

/// Rows of one round at most, so that none holds the tables for long.
pub(crate) const ROUND: i64 = 256;

const UNDER_WAY: [&str; 2] = ["submitting", "unknown"];
/// Attempts that are not kept whatever their age: the condition of the index `sms_jobs_ended`, word for word.
pub(super) const ENDED: &str = "state NOT IN ('queued', 'submitting', 'looping')";

/// Gives up on outcomes that have been waited for long enough. What a stopped instance left behind ends here, too.
pub(crate) fn give_up(
    conn: &mut DbConn,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Vec<StatusRow>, StoreError> {
    use sms_jobs::{client_id, due_at, id, state, table};
    let keys = table
        // The condition of its index, word for word.
        .filter(sql::<Bool>("state <> 'queued'"))
        .filter(state.eq_any(UNDER_WAY).and(due_at.le(now)))
        .order(due_at)
        .limit(ROUND)
        .select((client_id, id))
        .load(conn)?;
    change(conn, rules, keys, now, |attempt| {
        let waiting = matches!(attempt.state, JobState::Submitting | JobState::Unknown);
        match attempt.due_at {
            Some(due) if waiting && due <= now => attempt.give_up(rules.resubmit_unknown, now),
            _ => Vec::new(),
        }
    })
}

/// Ends waiting jobs whose deadline has passed.
pub(crate) fn expire(
    conn: &mut DbConn,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Vec<StatusRow>, StoreError> {
    use sms_jobs::{client_id, deadline, id, table};
    let keys = table
        // The condition of its index, word for word: SQLite finds it by no bind parameter.
        .filter(sql::<Bool>("state = 'queued'"))
        .filter(deadline.lt(now))
        .order(deadline)
        .limit(ROUND)
        .select((client_id, id))
        .load(conn)?;
    change(conn, rules, keys, now, |attempt| match attempt.state {
        JobState::Queued => {
            attempt.drop_waiting(SmsState::Expired, Some(TOO_LATE.to_owned()), rules.resubmit_unknown)
        }
        _ => Vec::new(),
    })
}

/// Fails jobs that have waited since `before`, with `reason`: no bind will be had soon that they could leave by.
pub(crate) fn refuse(
    conn: &mut DbConn,
    rules: &Rules,
    (before, now): (UnixMillis, UnixMillis),
    (which, reason): (&Hopeless, &str),
) -> Result<Vec<StatusRow>, StoreError> {
    use sms_jobs::{client_id, created_at, deadline, due_at, id, pinned, route, smsc, table};
    let mut queued = table
        // The condition of the index by deadline, word for word.
        .filter(sql::<Bool>("state = 'queued'"))
        .filter(due_at.le(now).and(created_at.le(before)))
        .into_boxed::<MultiBackend>();
    queued = match which {
        Hopeless::All => queued,
        Hopeless::Route(name) => queued.filter(pinned.eq(false).and(route.eq(name))),
        Hopeless::Pinned(name) => queued.filter(pinned.eq(true).and(smsc.eq(name))),
    };
    let keys = queued.order(deadline).limit(ROUND).select((client_id, id)).load(conn)?;
    change(conn, rules, keys, now, |attempt| match attempt.state {
        JobState::Queued => {
            attempt.drop_waiting(SmsState::Failed, Some(reason.into()), rules.resubmit_unknown)
        }
        _ => Vec::new(),
    })
}

fn change(
    conn: &mut DbConn,
    rules: &Rules,
    keys: Vec<(ClientId, JobId)>,
    now: UnixMillis,
    mut decide: impl FnMut(&mut Attempt) -> Vec<Emission>,
) -> Result<Vec<StatusRow>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<JobKey> = keys.into_iter().map(|(client_id, id)| JobKey { client_id, id }).collect();
    keys.sort_unstable();
    let mut loaded = attempts::lock(conn, &keys)?;
    let mut new = Vec::new();
    for one in &mut loaded {
        let emissions = decide(&mut one.attempt);
        new.extend(one.statuses(rules, emissions));
    }
    attempts::save(conn, rules, loaded, now)?;
    statuses::publish(conn, rules, new, now)
}

/// How much waits for something.
pub(crate) struct Counts {
    /// Jobs that are to be submitted.
    pub(crate) queued: i64,
    /// When the oldest of them was taken in.
    pub(crate) oldest: Option<UnixMillis>,
    /// Attempts whose outcome is unknown.
    pub(crate) unknown: i64,
    /// Receipts that belong to no attempt.
    pub(crate) unmatched: i64,
}

/// Counts what waits, for gauges.
pub(crate) fn counts(conn: &mut DbConn) -> Result<Counts, StoreError> {
    // The condition of its index, word for word.
    let queued = sms_jobs::table.filter(sql::<Bool>("state = 'queued'"));
    let (queued, oldest) = queued.select((count_star(), min(sms_jobs::created_at))).first(conn)?;
    let unknown = sms_jobs::table.filter(sms_jobs::state.eq(JobState::Unknown.as_str()));
    Ok(Counts {
        queued,
        oldest,
        unknown: unknown.count().get_result(conn)?,
        unmatched: sms_receipts::table.count().get_result(conn)?,
    })
}

/// Forgets what is older than `before`: statuses, receipts that found nothing, attempts that have ended, and references
/// of recipients who had no long text since; days of the report before `report_before`; and envelopes whose deadline has
/// passed. Gives the number of rows.
pub(crate) fn prune(
    conn: &mut DbConn,
    (before, report_before): (UnixMillis, UnixMillis),
    now: UnixMillis,
) -> Result<usize, StoreError> {
    let mut pruned = 0;
    let old: Vec<(String, i64)> = sms_statuses::table
        .filter(sms_statuses::produced_at.lt(before))
        .order(sms_statuses::produced_at)
        .limit(ROUND)
        .select((sms_statuses::client_id, sms_statuses::seq))
        .load(conn)?;
    for (client, seq) in old {
        pruned += diesel::delete(sms_statuses::table.find((client, seq))).execute(conn)?;
    }
    pruned += report::fold(conn, before)?;
    pruned += report::prune(conn, report_before)?;
    pruned +=
        diesel::delete(sms_receipts::table.filter(sms_receipts::received_at.lt(before))).execute(conn)?;
    let old = sms_references::used_at.lt(before);
    pruned += diesel::delete(sms_references::table.filter(old)).execute(conn)?;
    pruned += quotas::prune(conn, before)?;
    pruned += diesel::delete(sms_seals::table.filter(sms_seals::expires_at.lt(now))).execute(conn)?;
    Ok(pruned)
}
