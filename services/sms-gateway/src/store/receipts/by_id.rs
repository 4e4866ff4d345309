//! Segments that receipts name by the SMSC's ids.
//!
//! An id may mean several: SMSCs count anew, and some write ids in a base that is only guessed at. The recipient tells
//! them apart.

use std::collections::{BTreeSet, HashMap};

use common::models::sms::{ClientId, JobId, SmscName};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};
use sms::message_id::{IdBase, response_key};

use super::{Receipt, Rules, StoreError};
use crate::domain::attempt::JobKey;
use crate::store::attempts::Loaded;
use crate::store::schema::{sms_jobs, sms_parts};

/// The segments that may be meant, by SMSC and key of the id.
pub(super) struct Named(HashMap<SmscName, HashMap<String, Vec<Match>>>);

/// A segment that may be meant.
#[derive(Clone)]
struct Match {
    key: JobKey,
    part: i32,
    message_id: String,
    recipient: Option<String>,
}

/// Reads what the ids of these receipts may mean, with one statement for each SMSC among them.
pub(super) fn find(
    conn: &mut DbConn,
    rules: &Rules,
    receipts: &[(usize, Receipt)],
) -> Result<Named, StoreError> {
    let mut readings: HashMap<&SmscName, BTreeSet<String>> = HashMap::new();
    for (_, receipt) in receipts {
        readings.entry(&receipt.smsc).or_default().extend(receipt.keys(rules));
    }
    let mut named: HashMap<SmscName, HashMap<String, Vec<Match>>> = HashMap::new();
    for (smsc, keys) in readings {
        let of_smsc = named.entry(smsc.clone()).or_default();
        for (key, found) in segments(conn, smsc, keys.into_iter().collect())? {
            of_smsc.entry(key).or_default().push(found);
        }
    }
    Ok(Named(named))
}

impl Named {
    /// Adds a segment if its SMSC has named it: its row does not say so before the batch is written.
    pub(super) fn add(&mut self, rules: &Rules, job: &Loaded, number: i32) {
        let Some(part) = job.part(number) else { return };
        let Some(id) = part.message_id.as_ref() else { return };
        // Without a receipt that may mean it, nobody asks.
        let Some(of_smsc) = self.0.get_mut(&part.smsc) else { return };
        let found = Match {
            key: job.attempt.key.clone(),
            part: number,
            message_id: id.clone(),
            recipient: job.recipient.clone(),
        };
        // An SMSC that counts anew means the latest.
        of_smsc.entry(response_key(id, rules.id_base(&part.smsc))).or_default().insert(0, found);
    }

    /// Chooses the segment of a receipt: one towards its recipient, then one with the very same id, then the first of
    /// the likeliest reading. Where the base of the id is guessed at, one towards somebody else counts only when there
    /// was time for a better one: an SMSC may write numbers in a form that we do not know again.
    pub(super) fn likeliest(&self, receipt: &Receipt, rules: &Rules) -> Option<(JobKey, i32)> {
        let rank = |one: &Match| {
            let same = receipt.recipient.is_some() && one.recipient == receipt.recipient;
            (same, one.message_id == receipt.message_id)
        };
        let of_smsc = self.0.get(&receipt.smsc)?;
        let keys = receipt.keys(rules);
        let candidates = keys.iter().filter_map(|key| of_smsc.get(key)).flatten();
        let best = candidates.fold(None, |best: Option<&Match>, one| match best {
            Some(best) if rank(one) <= rank(best) => Some(best),
            _ => Some(one),
        })?;
        let guessed = rules.id_base(&receipt.smsc) == IdBase::Auto && !receipt.widely;
        let elsewhere = receipt.recipient.is_some() && best.recipient.is_some() && !rank(best).0;
        (!guessed || !elsewhere).then(|| (best.key.clone(), best.part))
    }
}

enum Segments {}

impl BatchSql for Segments {
    // OFFSET 0 keeps the look-up a look-up: without statistics, PostgreSQL would rather read all segments of an SMSC and
    // compare their keys than go to the index for each.
    const SQL: &'static str = "SELECT p.message_key, p.client_id, p.job_id, p.part, p.message_id, j.recipient FROM {k} \
        CROSS JOIN LATERAL (SELECT * FROM sms_parts WHERE smsc = {smsc} AND message_key = k.message_key OFFSET 0) AS p \
        JOIN sms_jobs j ON j.client_id = p.client_id AND j.id = p.job_id \
        ORDER BY j.left_at DESC NULLS LAST, j.id DESC";
    type Row = (Nullable<Text>, Text, Text, Integer, Nullable<Text>, Nullable<Text>);
}

/// Key of the id, client, job, part, id, recipient.
type SegmentRow = (Option<String>, ClientId, JobId, i32, Option<String>, Option<String>);

fn segments(
    conn: &mut DbConn,
    smsc: &SmscName,
    keys: Vec<String>,
) -> Result<Vec<(String, Match)>, StoreError> {
    // An SMSC that counts anew means the message that it took last, whether it has told of it before or not: another
    // receipt of that one would else be taken for the first of an older one.
    let same_job = sms_parts::client_id.eq(sms_jobs::client_id).and(sms_parts::job_id.eq(sms_jobs::id));
    let rows: Vec<SegmentRow> = match conn {
        DbConn::Pg(c) => {
            let keys = Rows::of(&keys).column::<Text, _>("message_key", String::as_str);
            let segments = BatchQuery::<Segments>::new().value::<Text, _>("smsc", smsc.as_str());
            segments.rows("k", keys).load(c)?
        }
        DbConn::Sqlite(c) => sms_parts::table
            .inner_join(sms_jobs::table.on(same_job))
            .filter(sms_parts::smsc.eq(smsc).and(sms_parts::message_key.eq_any(keys)))
            .order((sms_jobs::left_at.desc(), sms_jobs::id.desc()))
            .select((
                sms_parts::message_key,
                sms_parts::client_id,
                sms_parts::job_id,
                sms_parts::part,
                sms_parts::message_id,
                sms_jobs::recipient,
            ))
            .load(c)?,
    };
    Ok(rows
        .into_iter()
        .map(|(key, client, id, number, message, recipient)| {
            let found = Match {
                key: JobKey { client_id: client, id },
                part: number,
                message_id: message.unwrap_or_default(),
                recipient,
            };
            (key.unwrap_or_default(), found)
        })
        .collect())
}
