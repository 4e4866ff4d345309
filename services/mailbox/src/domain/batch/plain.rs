//! The short way of a send: stored by one statement if it needs no decision.

use std::collections::HashSet;
use std::sync::Arc;

use db::{DbConn, DbError};

use super::Rules;
use crate::domain::send::{Fate, Send, SendReceipt, Sent};
use crate::domain::{MailboxError, MailboxId};
use crate::store::idempotency::{KeyName, NewKey};
use crate::store::plain::{self, Candidate, CandidateCopy, Terms};

/// Stores those of the sends that are plain; `None` for the others.
pub(super) fn store(
    rules: &Rules,
    conn: &mut DbConn,
    sends: &[Arc<Send>],
) -> Result<Vec<Option<Sent>>, MailboxError> {
    let DbConn::Pg(conn) = conn else { return Ok(sends.iter().map(|_| None).collect()) };
    let now = rules.clock.now();
    let receipts: Vec<SendReceipt> = sends.iter().map(|send| SendReceipt::new(send, now)).collect();
    let (mut candidates, mut copies) = (Vec::with_capacity(sends.len()), Vec::with_capacity(sends.len()));
    let mut names = HashSet::new();
    for (number, (send, receipt)) in (0_i32..).zip(sends.iter().zip(&receipts)) {
        let name = send.key.as_ref().map(|key| KeyName { sender: &send.sender, key: &key.text });
        // One request under a key at a time; and whoever names his own device is told so.
        if name.is_some_and(|name| !names.insert(name)) || send.names_sender() {
            continue;
        }
        let key = match (&send.key, name) {
            (Some(key), Some(name)) => Some(NewKey { name, hash: key.hash(), answer: receipt.to_json()? }),
            _ => None,
        };
        candidates.push(Candidate { number, send, key });
        copies.extend(send.copies.iter().zip(&receipt.devices).map(|(copy, given)| {
            let mailbox = MailboxId { account: send.recipient, device: copy.device };
            CandidateCopy { number, mailbox, copy, guid: given.guid.as_str(), urgent: send.urgent }
        }));
    }
    let settings = &rules.settings;
    let terms = Terms {
        most: i64::from(settings.max_envelopes),
        most_bytes: i64::try_from(settings.max_bytes).unwrap_or(i64::MAX),
        now,
        expires_at: now + settings.ttl,
    };
    let stored = plain::store(conn, &candidates, &copies, &terms).map_err(DbError::from)?;
    rules.metrics.batch_jobs.observe(sends.len() as f64);
    let sent = (0..).zip(receipts).map(|(number, receipt)| {
        let fate = Fate::Stored { is_told: false };
        stored.contains(&number).then_some(Sent { receipt, fate })
    });
    Ok(sent.collect())
}
