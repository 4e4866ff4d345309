//! The locked mailboxes of a batch, in memory.

use std::collections::{BTreeMap, BTreeSet};

use common::models::{AccountId, DeviceId, RegistrationId};

use crate::domain::{MailboxError, MailboxId};
use crate::store::rows::{MailboxRow, RemovedRow};

/// The locked mailboxes, as they are after the jobs judged so far.
pub(super) struct Table {
    rows: BTreeMap<MailboxId, MailboxRow>,
    changed: BTreeSet<MailboxId>,
}

impl Table {
    pub(super) fn of(rows: Vec<MailboxRow>) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.id(), row)).collect(), changed: BTreeSet::new() }
    }

    /// Whether an account blocks anybody.
    pub(super) fn blocks_any(&self, account: AccountId) -> bool {
        self.rows.values().any(|row| row.account_id == account && row.has_blocks)
    }

    /// The devices of an account.
    pub(super) fn open(&self, account: AccountId) -> Vec<(DeviceId, RegistrationId)> {
        let mine = self.rows.values().filter(|row| row.account_id == account);
        mine.map(|row| (row.device_id, row.registration_id)).collect()
    }

    pub(super) fn may_ack(&self, id: MailboxId, through: i64) -> Result<(), MailboxError> {
        let last = self.rows.get(&id).ok_or(MailboxError::NotFound)?.next_seq - 1;
        if through > last { Err(MailboxError::AckBeyondLast { last }) } else { Ok(()) }
    }

    pub(super) fn removed(&mut self, removed: &RemovedRow) {
        if let Some(row) = self.change(removed.mailbox) {
            row.envelope_count -= 1;
            row.byte_count -= removed.bytes;
            row.full_told = false;
            row.urgent_waits &= row.envelope_count > 0;
        }
    }

    pub(super) fn change(&mut self, id: MailboxId) -> Option<&mut MailboxRow> {
        self.changed.insert(id);
        self.rows.get_mut(&id)
    }

    /// One mailbox as it is now.
    pub(super) fn get(&self, id: MailboxId) -> Option<&MailboxRow> {
        self.rows.get(&id)
    }

    /// The mailboxes that are no more as they were read.
    pub(super) fn changed(&self) -> Vec<MailboxRow> {
        self.changed.iter().filter_map(|id| self.rows.get(id).cloned()).collect()
    }
}
