//! The short way of sends: those that need no decision are stored by one statement.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use common::models::{AccountId, DeviceId, UnixMillis};
use db::DbConn;

use super::Rules;
use crate::domain::send::{Fate, Send, SendReceipt, Sent};
use crate::domain::{MailboxError, MailboxId};
use crate::store::idempotency::{KeyName, NewKey};
use crate::store::plain::{self, Brought, Keyed, Placed, Share, Terms};

/// A send with the answer that it will get, if it is plain.
type Promised<'a> = (&'a Send, &'a SendReceipt);

/// Stores those of the sends that are plain; `None` for the others.
pub(super) fn store(
    rules: &Rules,
    conn: &mut DbConn,
    sends: &[Arc<Send>],
) -> Result<Vec<Option<Sent>>, MailboxError> {
    let now = rules.clock.now();
    let receipts: Vec<SendReceipt> = sends.iter().map(|send| SendReceipt::new(send, now)).collect();
    let mut names = HashSet::new();
    // One request under a key at a time; and whoever names his own device is told so.
    let may: Vec<bool> = sends
        .iter()
        .map(|send| key_name(send).is_none_or(|name| names.insert(name)) && !send.names_sender())
        .collect();
    let promised = sends.iter().zip(&receipts).zip(&may).filter_map(|(one, may)| may.then_some(one));
    let stored = store_whole(rules, conn, promised, now)?;
    rules.metrics.batch_jobs.observe(sends.len() as f64);
    let sent = sends.iter().zip(receipts).zip(may).map(|((send, receipt), may)| {
        let fate = Fate::Stored { is_told: false };
        (may && stored.contains(&send.recipient)).then_some(Sent { receipt, fate })
    });
    Ok(sent.collect())
}

/// Stores all or nothing of what comes for each account, and gives those for which all was.
fn store_whole<'a>(
    rules: &Rules,
    conn: &mut DbConn,
    promised: impl Iterator<Item = (&'a Arc<Send>, &'a SendReceipt)>,
    now: UnixMillis,
) -> Result<HashSet<AccountId>, MailboxError> {
    let mut groups: BTreeMap<AccountId, Vec<Promised<'a>>> = BTreeMap::new();
    for (send, receipt) in promised {
        groups.entry(send.recipient).or_default().push((send, receipt));
    }
    let mut brought = Brought::default();
    for (account, promised) in &groups {
        bring(*account, promised, &mut brought)?;
    }
    if brought.shares.is_empty() {
        return Ok(HashSet::new());
    }
    let settings = &rules.settings;
    let terms = Terms {
        most: i64::from(settings.max_envelopes),
        most_bytes: i64::try_from(settings.max_bytes).unwrap_or(i64::MAX),
        now,
        expires_at: now + settings.ttl,
    };
    Ok(plain::store(conn, &brought, &terms)?)
}

fn key_name(send: &Send) -> Option<KeyName<'_>> {
    send.key.as_ref().map(|key| KeyName { sender: &send.sender, key: &key.text })
}

/// Adds what comes for an account, unless its sends do not agree on which devices it has: at most one of them is right.
fn bring<'a>(
    account: AccountId,
    sends: &[Promised<'a>],
    brought: &mut Brought<'a>,
) -> Result<(), MailboxError> {
    let Some((shares, mut copies)) = agree(account, sends) else { return Ok(()) };
    brought.shares.extend(shares.into_values());
    brought.copies.append(&mut copies);
    for (send, receipt) in sends {
        if let (Some(name), Some(key)) = (key_name(send), &send.key) {
            let key = NewKey { name, hash: key.hash(), answer: receipt.to_json()? };
            brought.keys.push(Keyed { recipient: account, key });
        }
    }
    Ok(())
}

fn agree<'a>(
    account: AccountId,
    sends: &[Promised<'a>],
) -> Option<(BTreeMap<DeviceId, Share>, Vec<Placed<'a>>)> {
    let mut shares: BTreeMap<DeviceId, Share> = BTreeMap::new();
    let mut copies = Vec::with_capacity(sends.len());
    for (send, receipt) in sends {
        let share = |device| Share {
            mailbox: MailboxId { account, device },
            registration: None,
            envelopes: 0,
            bytes: 0,
            urgent: false,
            devices: send.devices_expected(),
        };
        if send.is_to_own() {
            let device = send.sender.device;
            shares.entry(device).or_insert_with(|| share(device));
        }
        for (copy, given) in send.copies.iter().zip(&receipt.devices) {
            let share = shares.entry(copy.device).or_insert_with(|| share(copy.device));
            if *share.registration.get_or_insert(copy.registration) != copy.registration {
                return None;
            }
            copies.push(Placed { send, copy, place: share.envelopes, guid: given.guid.as_str() });
            share.envelopes += 1;
            share.bytes += i64::try_from(copy.content.as_slice().len()).unwrap_or(i64::MAX);
            share.urgent |= send.urgent;
        }
    }
    let devices = i32::try_from(shares.len()).unwrap_or(i32::MAX);
    sends.iter().all(|(send, _)| send.devices_expected() == devices).then_some((shares, copies))
}
