//! Outcomes: what SMSCs answered and reported, brought to the attempts it belongs to.

mod by_id;
mod followed;
mod unanswered;

pub(in crate::store) use unanswered::UNANSWERED;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::{BatchQuery, BatchSql, DbConn};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use sms::message_id::{receipt_keys, response_key};

use super::quotas::Changes;
use super::rows::{ReceiptColumns, ReceiptRow, StatusRow};
use super::schema::sms_receipts;
use super::statuses::{self, NewStatus};
use super::{Rules, StoreError, attempts};
use crate::domain::attempt::{JobKey, Part, PartEvent};
use crate::domain::receipt::Fate;
use crate::domain::state::JobState;
use followed::Followed;
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
    /// Whether every reading of its id is to be tried. Only for one that has waited in vain for the likeliest: the
    /// hexadecimal reading of one message's id is the decimal one of another's.
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
    /// Who says so of what it was given; `None` for a receipt, which names its segment by itself.
    from: Option<SmscName>,
    event: PartEvent,
}

/// Applies a batch: submissions first, then receipts, with those that had been waiting for these submissions.
pub(crate) fn settle(
    conn: &mut DbConn,
    rules: &Rules,
    batch: &[Outcome],
    now: UnixMillis,
) -> Result<Vec<Settled>, StoreError> {
    let mut settled = vec![Settled::default(); batch.len()];
    let mut responses = Vec::new();
    let mut receipts = Vec::new();
    let mut accepted = Vec::new();
    for (index, outcome) in batch.iter().enumerate() {
        match outcome {
            Outcome::Receipt(receipt) => receipts.push((index, receipt.clone())),
            Outcome::Response { smsc, key, part, copy, event } => {
                if let PartEvent::Accepted { message_id: Some(id) } = event {
                    accepted.push((index, smsc.clone(), id.clone()));
                }
                responses.push(Event {
                    index,
                    key: key.clone(),
                    part: *part,
                    copy: *copy,
                    from: Some(smsc.clone()),
                    event: event.clone(),
                });
            }
        }
    }
    if !responses.is_empty() && !receipts.is_empty() {
        hold(conn, rules, &responses, &receipts)?;
    }
    let mut told = Told::default();
    apply(conn, rules, responses, (&mut settled, &mut told), now)?;
    receipts.extend(waiting_for(conn, rules, &accepted)?);
    let events = correlate(conn, rules, receipts, &mut settled, now)?;
    apply(conn, rules, events, (&mut settled, &mut told), now)?;
    told.charges.save(conn)?;
    for (index, row) in told.causes.into_iter().zip(statuses::publish(conn, rules, told.statuses, now)?) {
        if let Some(settled) = settled.get_mut(index) {
            settled.statuses.push(row);
        }
    }
    Ok(settled)
}

/// Locks all jobs that a batch is known to be about, in their order. What its receipts name would otherwise be locked behind
/// what is answered, while another batch does the reverse; what they come to name only now is rare.
fn hold(
    conn: &mut DbConn,
    rules: &Rules,
    responses: &[Event],
    receipts: &[(usize, Receipt)],
) -> Result<(), StoreError> {
    let named = match conn {
        DbConn::Pg(_) => by_id::find(conn, rules, receipts)?,
        DbConn::Sqlite(_) => return Ok(()),
    };
    let mut keys: BTreeSet<JobKey> = responses.iter().map(|event| event.key.clone()).collect();
    keys.extend(receipts.iter().filter_map(|(_, receipt)| Some(named.likeliest(receipt, rules)?.0)));
    attempts::hold(conn, &keys.into_iter().collect::<Vec<_>>())
}

/// What is to be written of a batch, once no further job is locked in its transaction: both quotas and the numbers of
/// clients are rows that another batch may be waiting for with a job in hand.
#[derive(Default)]
struct Told {
    charges: Changes,
    statuses: Vec<NewStatus>,
    /// By which outcome of the batch.
    causes: Vec<usize>,
}

fn apply(
    conn: &mut DbConn,
    rules: &Rules,
    events: Vec<Event>,
    (settled, told): (&mut [Settled], &mut Told),
    now: UnixMillis,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let keys: BTreeSet<JobKey> = events.iter().map(|event| event.key.clone()).collect();
    let mut loaded = attempts::lock(conn, &keys.into_iter().collect::<Vec<_>>())?;
    let places: HashMap<JobKey, usize> =
        loaded.iter().enumerate().map(|(place, one)| (one.attempt.key.clone(), place)).collect();
    for event in events {
        let Some(one) = places.get(&event.key).and_then(|place| loaded.get_mut(*place)) else { continue };
        // Told once more, of a segment that another SMSC was given since.
        if event.from.is_some_and(|smsc| !one.attempt.is_with(event.part, &smsc)) {
            continue;
        }
        if let (PartEvent::Receipt(_), Some(settled)) = (&event.event, settled.get_mut(event.index)) {
            let part = one.attempt.parts.iter().find(|part| part.number == event.part);
            settled.waited = part.and_then(Part::awaits_receipt_since).map(|since| now - since);
        }
        let (before, what) = (one.attempt.state, event.event.as_str());
        one.attempt.apply(event.part, event.copy, rules.weigh(&one.attempt, event.event));
        if telemetry::follows()
            && let Some(settled) = settled.get_mut(event.index)
        {
            settled.followed.extend(Followed::of(one, event.part, what));
        }
        let emissions = one.attempt.settle();
        if before != JobState::Queued && one.attempt.state == JobState::Queued {
            one.attempt.pass_on(rules.has_another(&one.attempt), now);
        }
        if let Some(after) = rules.query_after(one.attempt.smsc.as_ref()) {
            one.attempt.ask_at(now + after);
        }
        told.causes.extend(emissions.iter().map(|_| event.index));
        told.statuses.extend(one.statuses(rules, emissions));
    }
    attempts::write(conn, rules, loaded, (&mut told.charges, now))
}

/// Finds the receipts that came before these submissions were known, and takes them out of waiting.
fn waiting_for(
    conn: &mut DbConn,
    rules: &Rules,
    accepted: &[(usize, SmscName, String)],
) -> Result<Vec<(usize, Receipt)>, StoreError> {
    let mut found = Vec::new();
    for (smsc, ids) in by_smsc(accepted) {
        let base = rules.id_base(smsc);
        let wanted: HashMap<String, usize> =
            ids.iter().map(|(index, id)| (response_key(id, base), *index)).collect();
        for row in parked(conn, smsc, wanted.keys().map(String::as_str).collect())? {
            let Some(index) = wanted.get(&row.message_key) else { continue };
            found.push((*index, Receipt::from(row)));
        }
    }
    Ok(found)
}

enum Parked {}

impl BatchSql for Parked {
    const SQL: &'static str = "SELECT {receipt} FROM sms_receipts \
        WHERE smsc = {smsc} AND message_key = ANY({keys}) ORDER BY received_at";
    type Row = ReceiptColumns;
}

fn parked(conn: &mut DbConn, smsc: &SmscName, keys: Vec<&str>) -> QueryResult<Vec<ReceiptRow>> {
    match conn {
        DbConn::Pg(c) => BatchQuery::<Parked>::new()
            .columns_of::<ReceiptRow>("receipt")
            .value::<Text, _>("smsc", smsc.as_str())
            .value::<Array<Text>, _>("keys", keys)
            .load(c),
        DbConn::Sqlite(c) => sms_receipts::table
            .filter(sms_receipts::smsc.eq(smsc).and(sms_receipts::message_key.eq_any(keys)))
            .order(sms_receipts::received_at)
            .select(ReceiptRow::as_select())
            .load(c),
    }
}

impl From<ReceiptRow> for Receipt {
    fn from(row: ReceiptRow) -> Self {
        Self {
            parked: Some(row.id),
            widely: false,
            smsc: row.smsc,
            message_id: row.message_id,
            fate: Fate::from_columns(&row.state, row.error),
            recipient: row.recipient,
            received_at: row.received_at,
        }
    }
}

/// Finds the segments of receipts, by the SMSC's ids and then by who is left that may be meant. Those that nothing
/// matches are parked, those that had been parked are released.
fn correlate(
    conn: &mut DbConn,
    rules: &Rules,
    receipts: Vec<(usize, Receipt)>,
    settled: &mut [Settled],
    now: UnixMillis,
) -> Result<Vec<Event>, StoreError> {
    let named = by_id::find(conn, rules, &receipts)?;
    let (mut events, mut unmatched) = (Vec::new(), Vec::new());
    for (index, receipt) in receipts {
        match named.likeliest(&receipt, rules) {
            Some((key, part)) => {
                release(conn, &receipt)?;
                events.push(Event::receipt(index, key, part, receipt.fate));
            }
            None => unmatched.push((index, receipt)),
        }
    }
    let mut silent = unanswered::find(conn, unmatched.iter().map(|(_, receipt)| receipt))?;
    for (index, receipt) in unmatched {
        match silent.take(&receipt) {
            // It tells that the SMSC has the segment, and under which id.
            Meant::Part(key, part) => {
                release(conn, &receipt)?;
                let event = PartEvent::Found { message_id: receipt.message_id, fate: receipt.fate };
                events.push(Event { index, key, part, copy: 0, from: None, event });
            }
            meant => {
                if let Some(settled) = settled.get_mut(index) {
                    settled.parked = true;
                }
                let tried = receipt.widely && !matches!(meant, Meant::Wait);
                park(conn, rules, &receipt, (tried, now))?;
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

/// Lets go of a receipt that waits no longer.
fn release(conn: &mut DbConn, receipt: &Receipt) -> Result<(), StoreError> {
    if let Some(parked) = &receipt.parked {
        let row = sms_receipts::smsc.eq(&receipt.smsc).and(sms_receipts::id.eq(parked));
        diesel::delete(sms_receipts::table.filter(row)).execute(conn)?;
    }
    Ok(())
}

/// Keeps a receipt until its submission is known; of one that is kept already, notes whether it was tried in every way.
fn park(
    conn: &mut DbConn,
    rules: &Rules,
    receipt: &Receipt,
    (has_been_tried, now): (bool, UnixMillis),
) -> Result<(), StoreError> {
    use sms_receipts::{id, looked_at, smsc, table, tried};
    if let Some(parked) = &receipt.parked {
        let row = table.filter(smsc.eq(&receipt.smsc).and(id.eq(parked)));
        diesel::update(row).set((tried.eq(has_been_tried), looked_at.eq(now))).execute(conn)?;
        return Ok(());
    }
    let (state, error) = receipt.fate.to_columns();
    let row = ReceiptRow {
        smsc: receipt.smsc.clone(),
        id: uuid::Uuid::now_v7().to_string(),
        message_id: receipt.message_id.clone(),
        message_key: receipt.keys(rules).into_iter().next().unwrap_or_default(),
        state: state.to_owned(),
        error: error.map(str::to_owned),
        received_at: receipt.received_at,
        tried: false,
        recipient: receipt.recipient.clone(),
        looked_at: now,
    };
    diesel::insert_into(table).values(&row).execute(conn)?;
    Ok(())
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

fn by_smsc(ids: &[(usize, SmscName, String)]) -> HashMap<&SmscName, Vec<(usize, &str)>> {
    let mut by_smsc: HashMap<&SmscName, Vec<(usize, &str)>> = HashMap::new();
    for (index, smsc, id) in ids {
        by_smsc.entry(smsc).or_default().push((*index, id));
    }
    by_smsc
}
