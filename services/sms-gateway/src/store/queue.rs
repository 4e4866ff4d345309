//! The queue of jobs that wait to be submitted.

mod waiting;

use std::collections::{BTreeMap, HashMap, HashSet};

use common::models::UnixMillis;
use common::models::sms::{RouteName, SmsState, SmscName};
use db::{BatchQuery, BatchSql, DbConn};
use diesel::prelude::*;
use telemetry::TraceContext;

use super::attempts::{self, Loaded};
use super::rows::{JobColumns, JobRow, StatusRow};
use super::schema::sms_jobs;
use super::statuses;
use super::{Rules, StoreError, opt_outs, quotas, references};
use crate::domain::attempt::{Attempt, JobKey, TOO_LATE};
use crate::domain::opt_out::OPTED_OUT;
use crate::domain::route::allot::Waiting;
use crate::domain::state::JobState;
pub(crate) use waiting::{Lane, Wanted, routes};

/// A step of taking jobs out of the queue; the one who takes them has a connection for it.
pub(crate) enum Step {
    /// See [`waiting::find`].
    Find(Wanted),
    /// See [`waiting::decide`].
    Decide(Vec<(JobKey, RouteName)>),
    /// See [`claim`].
    Claim(Vec<Plan>, UnixMillis),
}

/// What came of a [`Step`].
#[derive(Default)]
pub(crate) struct Stepped {
    /// Jobs that wait.
    pub(crate) waiting: Vec<Waiting>,
    /// Jobs that were taken.
    pub(crate) claimed: Vec<Claimed>,
    /// What was published about others.
    pub(crate) statuses: Vec<StatusRow>,
    /// What is to be told of quotas.
    pub(crate) quotas: quotas::News,
}

impl Step {
    /// Tells whether it is one statement, which changes nothing.
    pub(crate) fn is_look(&self) -> bool {
        matches!(self, Self::Find(_))
    }

    /// Does it.
    pub(crate) fn run(&self, conn: &mut DbConn, rules: &Rules) -> Result<Stepped, StoreError> {
        match self {
            Self::Find(wanted) => Ok(Stepped { waiting: waiting::find(conn, wanted)?, ..Stepped::default() }),
            Self::Decide(routes) => {
                waiting::decide(conn, routes)?;
                Ok(Stepped::default())
            }
            Self::Claim(plans, now) => claim(conn, rules, plans, *now),
        }
    }
}

enum Whole {}

impl BatchSql for Whole {
    const SQL: &'static str = "SELECT {job} FROM {k} \
        JOIN sms_jobs ON sms_jobs.client_id = k.client_id AND sms_jobs.id = k.id";
    type Row = JobColumns;
}

/// Reads jobs whole, for those that must be opened again; they come in any order.
pub(crate) fn rows(conn: &mut DbConn, keys: &[JobKey]) -> Result<Vec<JobRow>, StoreError> {
    Ok(match conn {
        DbConn::Pg(c) => {
            let whole = BatchQuery::<Whole>::new().columns_of::<JobRow>("job");
            whole.rows("k", attempts::key_rows(keys)).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                let found = sms_jobs::table.find((&key.client_id, &key.id)).select(JobRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            rows
        }
    })
}

/// What is to be done with a waiting job.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which job.
    pub(crate) key: JobKey,
    /// How it leaves, or why it cannot be sent.
    pub(crate) departure: Result<Departure, String>,
}

/// How a job leaves.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    /// By which SMSC.
    pub(crate) smsc: SmscName,
    /// In how many segments.
    pub(crate) segments: i32,
    /// When outcomes are no longer waited for.
    pub(crate) give_up_at: UnixMillis,
    /// The same for what would be sent once more then.
    pub(crate) resend_at: UnixMillis,
}

/// A job that is this instance's to submit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Which job.
    pub(crate) key: JobKey,
    /// Its route.
    pub(crate) route: RouteName,
    /// The SMSC it leaves by.
    pub(crate) smsc: SmscName,
    /// The segments to send; those that the SMSC has are not among them.
    pub(crate) parts: Vec<i32>,
    /// How often it was tried before.
    pub(crate) tries: i32,
    /// How often it was sent before with an outcome that is unknown.
    pub(crate) copy: i32,
    /// Concatenation reference of the segments, 1 to 65 535 and the same in each try; 0 where there is one segment.
    pub(crate) reference: i32,
    /// When it is too late to deliver.
    pub(crate) deadline: UnixMillis,
    /// The trace of its request.
    pub(crate) trace: TraceContext,
}

/// Takes jobs out of the queue: after the commit the rows say that their segments may have left. Ends those that are
/// too late or cannot be sent. Jobs that another instance is taking, or has taken, are left to it, also where it has put
/// them back since: an SMSC may have a part of them now.
fn claim(conn: &mut DbConn, rules: &Rules, plans: &[Plan], now: UnixMillis) -> Result<Stepped, StoreError> {
    let mut claimed = Vec::with_capacity(plans.len());
    let mut new = Vec::new();
    let keys: Vec<JobKey> = plans.iter().map(|plan| plan.key.clone()).collect();
    let by_key: HashMap<&JobKey, &Plan> = plans.iter().map(|plan| (&plan.key, plan)).collect();
    let mut loaded = attempts::lock_queued(conn, &keys)?;
    // After the lock: whoever waits for what is being claimed has opted out before or waits for this.
    let out = opted_out(conn, rules, &loaded)?;
    let mut room = quotas::Room::of(conn, rules, &loaded, now)?;
    for one in &mut loaded {
        let Some(plan) = by_key.get(&one.attempt.key) else { continue };
        if one.attempt.possible_duplicate && has_succeeded(conn, &one.attempt)? {
            one.attempt.cancel();
            continue;
        }
        let emissions = match &plan.departure {
            _ if one.attempt.deadline < now => {
                let text = Some(TOO_LATE.to_owned());
                one.attempt.drop_waiting(SmsState::Expired, text, rules.resubmit_unknown)
            }
            _ if out.contains(&one.attempt.key) => {
                let text = Some(OPTED_OUT.to_owned());
                one.attempt.drop_waiting(SmsState::Invalid, text, rules.resubmit_unknown)
            }
            Err(text) => {
                one.attempt.drop_waiting(SmsState::Invalid, Some(text.clone()), rules.resubmit_unknown)
            }
            Ok(departure) if !one.attempt.may_leave_by(&departure.smsc, now) => continue,
            Ok(departure) => {
                if let Err(text) = room.take(one, departure.segments) {
                    let failed =
                        one.attempt.drop_waiting(SmsState::Failed, Some(text), rules.resubmit_unknown);
                    new.extend(one.statuses(rules, failed));
                    continue;
                }
                if !one.attempt.is_pinned() || one.left_at.is_none() {
                    one.left_at = Some(now);
                }
                let until = if one.attempt.may_resend() { departure.resend_at } else { departure.give_up_at };
                let parts = one.attempt.begin(departure.segments, &departure.smsc, until);
                claimed.push(Claimed {
                    key: plan.key.clone(),
                    route: one.attempt.route.clone(),
                    smsc: departure.smsc.clone(),
                    parts,
                    tries: one.tries,
                    copy: one.attempt.resends,
                    reference: 0,
                    deadline: one.attempt.deadline,
                    trace: one.trace,
                });
                one.tries = one.tries.saturating_add(1);
                Vec::new()
            }
        };
        new.extend(one.statuses(rules, emissions));
    }
    refer(conn, &mut loaded, &mut claimed, now)?;
    attempts::save(conn, rules, loaded, now)?;
    let quotas = room.close(conn)?;
    let statuses = statuses::publish(conn, rules, new, now)?;
    Ok(Stepped { claimed, statuses, quotas, ..Stepped::default() })
}

/// Names the jobs whose recipient has opted out of such messages.
fn opted_out(conn: &mut DbConn, rules: &Rules, loaded: &[Loaded]) -> Result<HashSet<JobKey>, StoreError> {
    let held =
        loaded.iter().filter(|one| rules.opt_outs.holds(&one.attempt.key.client_id, one.attempt.class));
    let asked = held.filter_map(|one| Some((&one.attempt.key, one.recipient.as_ref()?)));
    let asked: Vec<(&JobKey, &String)> = asked.collect();
    let pairs = asked.iter().map(|(key, recipient)| (key.client_id.clone(), (*recipient).clone())).collect();
    let out = opt_outs::among(conn, &pairs)?;
    let is_out =
        |(key, recipient): &(&JobKey, &String)| out.contains(&(key.client_id.clone(), (*recipient).clone()));
    Ok(asked.into_iter().filter(is_out).map(|(key, _)| key.clone()).collect())
}

/// Gives a reference to what leaves in several segments for the first time.
fn refer(
    conn: &mut DbConn,
    loaded: &mut [Loaded],
    claimed: &mut [Claimed],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let lacks = |one: &&Loaded| one.attempt.segments > 1 && one.reference == 0;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for one in loaded.iter().filter(lacks) {
        *counts.entry(one.recipient.clone().unwrap_or_default()).or_default() += 1;
    }
    let mut drawn = references::draw(conn, counts, now)?;
    for one in loaded.iter_mut().filter(|one| one.attempt.segments > 1) {
        if one.reference == 0 {
            let of_recipient = drawn.get_mut(one.recipient.as_deref().unwrap_or_default());
            one.reference = of_recipient.and_then(Vec::pop).unwrap_or(1);
        }
        if let Some(claimed) = claimed.iter_mut().find(|claimed| claimed.key == one.attempt.key) {
            claimed.reference = one.reference;
        }
    }
    Ok(())
}

/// Tells whether an earlier attempt, whose outcome was unknown when this one was accepted, has succeeded meanwhile.
fn has_succeeded(conn: &mut DbConn, attempt: &Attempt) -> Result<bool, StoreError> {
    use sms_jobs::{client_id, correl_id, state, table};
    let same = client_id.eq(&attempt.key.client_id).and(correl_id.eq(&attempt.correl_id));
    let succeeded = state.eq_any([JobState::Sent, JobState::Delivered].map(JobState::as_str));
    let count: i64 = table.filter(same.and(succeeded)).count().get_result(conn)?;
    Ok(count > 0)
}
