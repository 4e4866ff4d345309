//! The sends of a batch, judged one after the other.

use std::collections::{HashMap, HashSet};

use common::models::events::{MailboxChange, MailboxEvent};
use common::models::{DeviceId, UnixMillis};
use db::{DbConn, DbError};

use super::table::Table;
use super::{Job, Rules};
use crate::domain::device_set::{self, Installation};
use crate::domain::send::{CopyReceipt, Fate, Send, SendReceipt, Sent};
use crate::domain::{MailboxError, MailboxId};
use crate::store::blocks::{self, Block};
use crate::store::idempotency::{self, KeyName, NewKey};
use crate::store::rows::NewEnvelope;
use crate::store::{envelopes, outbox};

/// What the sends judged so far will store.
pub(super) struct Sends<'a> {
    rules: &'a Rules,
    now: UnixMillis,
    /// Requests that were stored under a key, before this batch or in it.
    known: HashMap<(MailboxId, String), Known>,
    /// Recipients and the senders that they block, as far as the batch is concerned.
    blocks: HashSet<Block>,
    keys: Vec<NewKey<'a>>,
    envelopes: Vec<NewEnvelope<'a>>,
    events: Vec<outbox::Caused>,
}

struct Known {
    hash: Vec<u8>,
    receipt: SendReceipt,
}

impl<'a> Sends<'a> {
    /// Reads what is stored under the keys of the batch. After the mailboxes were locked: the same request elsewhere
    /// holds the same locks, so that its key is seen here, or ours there.
    pub(super) fn begin(
        rules: &'a Rules,
        conn: &mut DbConn,
        jobs: &'a [Job],
        table: &Table,
        now: UnixMillis,
    ) -> Result<Self, MailboxError> {
        let names: Vec<KeyName<'_>> = jobs.iter().filter_map(key_name).collect();
        let mut known = HashMap::new();
        for row in idempotency::find(conn, &names, now - rules.settings.idempotency_ttl)? {
            let sender = MailboxId { account: row.account_id, device: row.device_id };
            let receipt = serde_json::from_str(&row.answer).map_err(DbError::other)?;
            known.insert((sender, row.key), Known { hash: row.request_hash, receipt });
        }
        let blocks = blocks::among(conn, &doubtful(jobs, table))?;
        Ok(Self { rules, now, known, blocks, keys: Vec::new(), envelopes: Vec::new(), events: Vec::new() })
    }

    /// Decides on one send. The outer error fails the whole batch.
    pub(super) fn judge(
        &mut self,
        send: &'a Send,
        table: &mut Table,
    ) -> Result<Result<Sent, MailboxError>, MailboxError> {
        if let Some(key) = &send.key
            && let Some(known) = self.known.get(&(send.sender, key.text.clone()))
        {
            return Ok(if known.hash == key.hash() {
                Ok(Sent { receipt: known.receipt.clone(), fate: Fate::Replayed })
            } else {
                Err(MailboxError::KeyReused)
            });
        }
        if let Err(refusal) = self.admit(send, table) {
            return Ok(Err(refusal));
        }
        let receipt = SendReceipt::new(send, self.now);
        // Whoever is blocked gets the same answer, and the same one again.
        let fate = if self.blocks.contains(&block(send)) {
            Fate::Blocked
        } else {
            let events = self.events.len();
            self.accept(send, &receipt, table);
            Fate::Stored { is_told: self.events.len() > events }
        };
        if let Some(key) = &send.key {
            let answer = receipt.to_json()?;
            let name = KeyName { sender: &send.sender, key: &key.text };
            self.keys.push(NewKey { name, hash: key.hash(), answer });
            let known = Known { hash: key.hash().to_vec(), receipt: receipt.clone() };
            self.known.insert((send.sender, key.text.clone()), known);
        }
        Ok(Ok(Sent { receipt, fate }))
    }

    /// Checks the device set and the room; tells the owner of a full mailbox, once.
    fn admit(&mut self, send: &Send, table: &mut Table) -> Result<(), MailboxError> {
        let open = table.open(send.recipient);
        if open.is_empty() {
            return Err(MailboxError::NotFound);
        }
        let named: Vec<Installation> =
            send.copies.iter().map(|copy| (copy.device, copy.registration)).collect();
        let own = (send.sender.account == send.recipient).then_some(send.sender.device);
        device_set::check(&open, &named, own)?;

        let settings = &self.rules.settings;
        let (most, most_bytes) = (i64::from(settings.max_envelopes), settings.max_bytes);
        let is_full = |id: MailboxId, more: usize| {
            table.get(id).is_some_and(|row| {
                let bytes = u64::try_from(row.byte_count).unwrap_or(0).saturating_add(more as u64);
                row.envelope_count >= most || bytes > most_bytes
            })
        };
        let full: Vec<DeviceId> = send
            .copies
            .iter()
            .filter(|copy| is_full(mailbox(send, copy.device), copy.content.as_slice().len()))
            .map(|copy| copy.device)
            .collect();
        if full.is_empty() {
            return Ok(());
        }
        for device in &full {
            let id = mailbox(send, *device);
            let told = table.get(id).is_some_and(|row| row.full_told);
            if !told && let Some(row) = table.change(id) {
                row.full_told = true;
                self.tell(send, id, MailboxChange::Full);
            }
        }
        Err(MailboxError::Full { devices: full })
    }

    fn accept(&mut self, send: &'a Send, receipt: &SendReceipt, table: &mut Table) {
        for (copy, CopyReceipt { guid, .. }) in send.copies.iter().zip(&receipt.devices) {
            let id = mailbox(send, copy.device);
            // `admit` has seen it.
            let Some(row) = table.change(id) else { continue };
            let content = copy.content.as_slice();
            let wakes = row.envelope_count == 0 || (send.urgent && !row.urgent_waits);
            let heard = row.socket_process.is_some();
            let seq = row.next_seq;
            row.next_seq += 1;
            row.envelope_count += 1;
            row.urgent_waits |= send.urgent;
            row.byte_count += i64::try_from(content.len()).unwrap_or(i64::MAX);
            self.envelopes.push(NewEnvelope {
                account_id: id.account,
                device_id: id.device,
                seq,
                guid: *guid,
                kind: copy.kind.number(),
                source_account: send.sender.account,
                source_device: send.sender.device,
                client_timestamp: send.timestamp,
                server_timestamp: self.now,
                content,
                // The settings keep it far below.
                content_bytes: i32::try_from(content.len()).unwrap_or(i32::MAX),
                urgent: send.urgent,
                expires_at: self.now + self.rules.settings.ttl,
            });
            if wakes && !heard {
                self.tell(send, id, MailboxChange::MessagesAvailable { urgent: send.urgent });
            }
        }
    }

    fn tell(&mut self, cause: &Send, id: MailboxId, change: MailboxChange) {
        let event = MailboxEvent { account_id: id.account, device_id: id.device, at: self.now, change };
        self.events.push((event, cause.trace));
    }

    /// Writes everything that was decided.
    ///
    /// # Errors
    /// [`MailboxError::KeyReused`] when another process has stored one of the keys meanwhile. It cannot be for the same
    /// request, which would have held the same locks; decided on alone, the send whose key it is gets that answer.
    pub(super) fn write(&self, conn: &mut DbConn, table: &Table) -> Result<(), MailboxError> {
        let expired = self.now - self.rules.settings.idempotency_ttl;
        if idempotency::insert(conn, &self.keys, self.now, expired)? < self.keys.len() {
            return Err(MailboxError::KeyReused);
        }
        envelopes::store(conn, &self.envelopes, &table.changed())?;
        outbox::push(conn, &self.events, self.now)?;
        Ok(())
    }
}

fn mailbox(send: &Send, device: DeviceId) -> MailboxId {
    MailboxId { account: send.recipient, device }
}

fn block(send: &Send) -> Block {
    Block { account: send.recipient, blocked: send.sender.account }
}

/// The blocks that there may be: those of recipients who block anybody.
fn doubtful(jobs: &[Job], table: &Table) -> Vec<Block> {
    let sends = jobs.iter().filter_map(|job| match job {
        Job::Send(send) => Some(send),
        Job::AckThrough(..) | Job::Remove(_) => None,
    });
    sends.filter(|send| table.blocks_any(send.recipient)).map(|send| block(send)).collect()
}

fn key_name(job: &Job) -> Option<KeyName<'_>> {
    match job {
        Job::Send(send) => send.key.as_ref().map(|key| KeyName { sender: &send.sender, key: &key.text }),
        Job::AckThrough(..) | Job::Remove(_) => None,
    }
}
