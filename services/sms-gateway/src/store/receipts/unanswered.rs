//! Segments that left and were not answered, so that no id of the SMSC's is known: a receipt finds them by its recipient.
//!
//! What must hold: a receipt is brought to a message only if it can mean no other, that is if a single attempt towards
//! this recipient, through this SMSC and from before the receipt, is without an answer, and none is due any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::models::UnixMillis;
use common::models::sms::{ClientId, JobId, SmsClass, SmscName};
use db::DbConn;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{Receipt, StoreError};
use crate::domain::attempt::JobKey;
use crate::store::schema::{sms_jobs, sms_parts};

/// The condition of the index `sms_jobs_unanswered`, word for word: no bind parameter finds it.
pub(in crate::store) const UNANSWERED: &str =
    "(sms_jobs.state IN ('submitting', 'unknown') OR sms_jobs.resends > 0)";

/// The attempts without an answer, by SMSC and recipient, and what was found among them.
#[derive(Default)]
pub(super) struct Unanswered {
    silent: HashMap<(SmscName, String), BTreeMap<JobKey, Silent>>,
    /// By SMSC and the SMSC's id: SMSCs repeat receipts.
    found: HashMap<(SmscName, String), (JobKey, i32)>,
}

/// Of an attempt: those of its segments that nothing is known of.
struct Silent {
    since: UnixMillis,
    parts: BTreeSet<i32>,
    /// The SMSC may still answer it.
    awaited: bool,
    /// What is without an answer is sent once more, so that it matters which segment that is.
    resendable: bool,
}

/// One segment with what is needed of its attempt.
#[derive(Queryable)]
struct Row {
    recipient: Option<String>,
    client_id: ClientId,
    id: JobId,
    created_at: UnixMillis,
    class: String,
    resends: i32,
    part: i32,
    state: String,
}

/// What a receipt that no id matches is brought to.
pub(super) enum Meant {
    /// This segment.
    Part(JobKey, i32),
    /// Nothing, or it cannot be told what.
    Nobody,
    /// That cannot be told yet: an answer is due that may name it.
    Wait,
}

/// Reads what these receipts may mean, with one statement for each SMSC among them. Those that still wait for the
/// submission that their id most likely names are left out.
pub(super) fn find<'a>(
    conn: &mut DbConn,
    receipts: impl Iterator<Item = &'a Receipt>,
) -> Result<Unanswered, StoreError> {
    let mut wanted: BTreeMap<&SmscName, BTreeSet<&str>> = BTreeMap::new();
    for receipt in receipts.filter(|receipt| receipt.widely) {
        wanted.entry(&receipt.smsc).or_default().extend(receipt.recipient.as_deref());
    }
    let mut found = Unanswered::default();
    for (smsc, recipients) in wanted {
        let same_job = sms_parts::client_id.eq(sms_jobs::client_id).and(sms_parts::job_id.eq(sms_jobs::id));
        let rows: Vec<Row> = sms_jobs::table
            .inner_join(sms_parts::table.on(same_job))
            .filter(sms_jobs::recipient.eq_any(recipients))
            .filter(sql::<Bool>(UNANSWERED))
            .filter(sms_parts::smsc.eq(smsc))
            .filter(sms_parts::state.eq_any(["unknown", "submitting", "queued"]))
            .select((
                sms_jobs::recipient,
                sms_jobs::client_id,
                sms_jobs::id,
                sms_jobs::created_at,
                sms_jobs::class,
                sms_jobs::resends,
                sms_parts::part,
                sms_parts::state,
            ))
            .load(conn)?;
        for row in rows {
            let attempts = found.silent.entry((smsc.clone(), row.recipient.unwrap_or_default())).or_default();
            let key = JobKey { client_id: row.client_id, id: row.id };
            let first = || Silent {
                since: row.created_at,
                parts: BTreeSet::new(),
                awaited: false,
                resendable: row.class != SmsClass::Bulk.as_str(),
            };
            attempts.entry(key).or_insert_with(first).note(row.part, &row.state, row.resends > 0);
        }
    }
    Ok(found)
}

impl Unanswered {
    /// Takes out the segment that a receipt is brought to. Which segment of several does not matter unless they may be
    /// sent again: the message is delivered when all are.
    pub(super) fn take(&mut self, receipt: &Receipt) -> Meant {
        let Some(recipient) = receipt.recipient.clone().filter(|_| receipt.widely) else {
            return Meant::Nobody;
        };
        let named = (receipt.smsc.clone(), receipt.message_id.clone());
        if let Some((key, part)) = self.found.get(&named) {
            return Meant::Part(key.clone(), *part);
        }
        let place = (receipt.smsc.clone(), recipient);
        let Some(attempts) = self.silent.get_mut(&place) else { return Meant::Nobody };
        if attempts.values().any(|silent| silent.awaited) {
            return Meant::Wait;
        }
        let only = if attempts.len() == 1 { attempts.iter_mut().next() } else { None };
        let only = only.filter(|(_, silent)| silent.since <= receipt.received_at && silent.is_clear());
        let Some((key, part)) = only.and_then(|(key, silent)| Some((key.clone(), silent.parts.pop_first()?)))
        else {
            return Meant::Nobody;
        };
        self.found.insert(named, (key.clone(), part));
        Meant::Part(key, part)
    }
}

impl Silent {
    fn is_clear(&self) -> bool {
        self.parts.len() == 1 || !self.resendable
    }

    /// Notes a segment. Of an attempt that is sent anew, the first copy is without an answer whatever the second is at.
    fn note(&mut self, part: i32, state: &str, repeated: bool) {
        match state {
            "unknown" => {
                self.parts.insert(part);
            }
            _ if repeated => {
                self.parts.insert(part);
            }
            "submitting" => self.awaited = true,
            _ => {}
        }
    }
}
