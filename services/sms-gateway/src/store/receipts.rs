//! Outcomes: what SMSCs answered and reported, brought to the attempts it belongs to.

mod by_id;
mod followed;
mod jobs;
mod parked;
mod unanswered;

pub(crate) use parked::due;
pub(in crate::store) use unanswered::UNANSWERED;

use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::DbConn;
use sms::message_id::receipt_keys;

use super::quotas::Changes;
use super::rows::StatusRow;
use super::statuses::{self, NewStatus};
use super::{Rules, StoreError};
use crate::domain::attempt::{JobKey, PartEvent};
use crate::domain::receipt::Fate;
use followed::Followed;
use jobs::Jobs;
use unanswered::Meant;

/// One thing that an SMSC said.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// What became of a submission.
    Response {
        /// Through which SMSC.
        smsc: SmscName,
        /// Which job.
        key: JobKey,
        /// Which segment.
        part: i32,
        /// Which copy of it; see [`Attempt::apply`](crate::domain::attempt::Attempt::apply).
        copy: i32,
        /// How often the job had been tried before.
        tries: i32,
        /// What.
        event: PartEvent,
    },
    /// A receipt.
    Receipt(Receipt),
}

/// A receipt that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// Id of the row in which it waits for its submission, once it does.
    pub(crate) parked: Option<String>,
    /// Whether every reading of its id is to be tried, and its recipient. Only for one that has waited in vain for the
    /// likeliest: the hexadecimal reading of one message's id is the decimal one of another's.
    pub(crate) widely: bool,
    /// From which SMSC.
    pub(crate) smsc: SmscName,
    /// The SMSC's id of the segment, as it came.
    pub(crate) message_id: String,
    /// What it says.
    pub(crate) fate: Fate,
    /// Keyed hash of the recipient's number, if it names one.
    pub(crate) recipient: Option<String>,
    /// When it came.
    pub(crate) received_at: UnixMillis,
}

/// What became of an outcome.
#[derive(Clone, Default)]
pub(crate) struct Settled {
    /// What was published because of it.
    pub(crate) statuses: Vec<StatusRow>,
    /// A receipt that nothing matches yet.
    pub(crate) parked: bool,
    /// Of the first receipt of a segment: how long after the SMSC was known to have it.
    pub(crate) waited: Option<Duration>,
    /// What it was about, if somebody reads that in the log.
    followed: Vec<Followed>,
}

/// Which segment, and what happened to it.
struct Event {
    index: usize,
    key: JobKey,
    part: i32,
    copy: i32,
    /// Who says so of what it was given, and how often that had been tried before; `None` for a receipt, which names its
    /// segment by itself.
    from: Option<(SmscName, i32)>,
    event: PartEvent,
}

/// Applies a batch: responses first, then receipts, with those that had been waiting for these responses.
pub(crate) fn settle(
    conn: &mut DbConn,
    rules: &Rules,
    batch: &[Outcome],
    now: UnixMillis,
) -> Result<Vec<Settled>, StoreError> {
    let (mut responses, mut receipts) = (Vec::new(), Vec::new());
    for (index, outcome) in batch.iter().enumerate() {
        match outcome {
            Outcome::Receipt(receipt) => receipts.push((index, receipt.clone())),
            Outcome::Response { smsc, key, part, copy, tries, event } => responses.push(Event {
                index,
                key: key.clone(),
                part: *part,
                copy: *copy,
                from: Some((smsc.clone(), *tries)),
                event: event.clone(),
            }),
        }
    }
    receipts.extend(parked::waiting_for(conn, rules, &responses)?);
    let mut named = by_id::find(conn, rules, &receipts)?;
    let mut told = Told::new(batch.len());

    // Once for all, so that two batches lock what both are about in the same order.
    let of_responses = responses.iter().map(|event| event.key.clone());
    let of_receipts = receipts.iter().filter_map(|(_, receipt)| Some(named.likeliest(receipt, rules)?.0));
    let mut jobs = Jobs::lock(conn, rules, of_responses.chain(of_receipts).collect(), now)?;
    for event in responses {
        let part = event.part;
        if let Some(job) = jobs.apply(event, &mut told) {
            named.add(rules, job, part);
        }
    }
    let mut unmatched = Vec::new();
    for (index, receipt) in receipts {
        match named.likeliest(&receipt, rules) {
            Some((key, part)) => {
                parked::release(conn, &receipt)?;
                jobs.apply(Event::receipt(index, key, part, receipt.fate), &mut told);
            }
            None => unmatched.push((index, receipt)),
        }
    }
    jobs.write(conn, &mut told)?;

    // What they come to name only now is locked behind the rest. It is rare.
    let events = by_recipient(conn, rules, unmatched, &mut told.settled, now)?;
    let mut jobs = Jobs::lock(conn, rules, events.iter().map(|event| event.key.clone()).collect(), now)?;
    for event in events {
        jobs.apply(event, &mut told);
    }
    jobs.write(conn, &mut told)?;
    told.publish(conn, rules, now)
}

/// What is to be written and told of a batch, once no further job is locked in its transaction: both quotas and the
/// numbers of clients are rows that another batch may be waiting for with a job in hand.
struct Told {
    settled: Vec<Settled>,
    charges: Changes,
    statuses: Vec<NewStatus>,
    /// By which outcome of the batch.
    causes: Vec<usize>,
}

impl Told {
    /// Nothing yet, of so many outcomes.
    fn new(outcomes: usize) -> Self {
        let settled = vec![Settled::default(); outcomes];
        Self { settled, charges: Changes::default(), statuses: Vec::new(), causes: Vec::new() }
    }

    fn publish(self, conn: &mut DbConn, rules: &Rules, now: UnixMillis) -> Result<Vec<Settled>, StoreError> {
        let Self { mut settled, charges, statuses, causes } = self;
        charges.save(conn)?;
        for (index, row) in causes.into_iter().zip(statuses::publish(conn, rules, statuses, now)?) {
            if let Some(settled) = settled.get_mut(index) {
                settled.statuses.push(row);
            }
        }
        Ok(settled)
    }
}

/// Brings receipts that no id matches to who is left that may be meant. Those that nothing matches are parked, those that
/// had been parked are released.
fn by_recipient(
    conn: &mut DbConn,
    rules: &Rules,
    unmatched: Vec<(usize, Receipt)>,
    settled: &mut [Settled],
    now: UnixMillis,
) -> Result<Vec<Event>, StoreError> {
    let mut silent = unanswered::find(conn, unmatched.iter().map(|(_, receipt)| receipt))?;
    let mut events = Vec::new();
    for (index, receipt) in unmatched {
        match silent.take(&receipt) {
            // It tells that the SMSC has the segment, and under which id.
            Meant::Part(key, part) => {
                parked::release(conn, &receipt)?;
                let event = PartEvent::Found { message_id: receipt.message_id, fate: receipt.fate };
                events.push(Event { index, key, part, copy: 0, from: None, event });
            }
            meant => {
                if let Some(settled) = settled.get_mut(index) {
                    settled.parked = true;
                }
                match &receipt.parked {
                    None => parked::park(conn, rules, &receipt)?,
                    Some(id) if receipt.widely && !matches!(meant, Meant::Wait) => {
                        parked::note_tried(conn, (&receipt.smsc, id), now)?;
                    }
                    // Something came or is to come that may be what it means.
                    Some(id) => parked::begin_anew(conn, (&receipt.smsc, id))?,
                }
            }
        }
    }
    Ok(events)
}

impl Event {
    fn receipt(index: usize, key: JobKey, part: i32, fate: Fate) -> Self {
        Self { index, key, part, copy: 0, from: None, event: PartEvent::Receipt(fate) }
    }
}

impl Receipt {
    /// Gives the keys to look under, the likeliest first.
    fn keys(&self, rules: &Rules) -> Vec<String> {
        let mut keys = receipt_keys(&self.message_id, rules.id_base(&self.smsc));
        if !self.widely {
            keys.truncate(1);
        }
        keys
    }
}

#[cfg(test)]
mod tests;
