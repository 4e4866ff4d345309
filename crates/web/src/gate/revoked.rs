//! What has been revoked, for as long as a token issued before could still be valid.

use std::collections::HashMap;

use common::models::{AccountId, DeviceId, SessionId, UnixMillis};

use crate::Caller;

/// Below this many entries, expired ones are not looked for.
const FEW: usize = 1024;

#[derive(Clone, Copy)]
struct Removal {
    removed_at: UnixMillis,
    until: UnixMillis,
}

#[derive(Default)]
pub(super) struct Revoked {
    sessions: HashMap<SessionId, UnixMillis>,
    accounts: HashMap<AccountId, UnixMillis>,
    devices: HashMap<(AccountId, DeviceId), Removal>,
    devices_of: HashMap<(SessionId, DeviceId), UnixMillis>,
    sweep_at: usize,
}

impl Revoked {
    pub(super) fn session(&mut self, session: SessionId, until: UnixMillis) {
        let held = self.sessions.entry(session).or_insert(until);
        *held = until.max(*held);
    }

    pub(super) fn account(&mut self, account: AccountId, until: UnixMillis) {
        let held = self.accounts.entry(account).or_insert(until);
        *held = until.max(*held);
    }

    pub(super) fn device_of(&mut self, of: (SessionId, DeviceId), until: UnixMillis) {
        let held = self.devices_of.entry(of).or_insert(until);
        *held = until.max(*held);
    }

    pub(super) fn device(&mut self, of: (AccountId, DeviceId), removed_at: UnixMillis, until: UnixMillis) {
        let held = self.devices.entry(of).or_insert(Removal { removed_at, until });
        // Events may come twice and out of order: the latest removal counts.
        *held = Removal { removed_at: removed_at.max(held.removed_at), until: until.max(held.until) };
    }

    pub(super) fn covers(&self, caller: &Caller) -> bool {
        let device = caller.device.and_then(|device| self.devices.get(&(caller.account, device)));
        self.sessions.contains_key(&caller.session)
            || self.accounts.contains_key(&caller.account)
            || caller.device.is_some_and(|device| self.devices_of.contains_key(&(caller.session, device)))
            || device.is_some_and(|removal| caller.issued_at <= removal.removed_at)
    }

    /// Forgets what no token can be covered by any more; rarely, so that the cost per revocation stays constant.
    pub(super) fn forget_expired(&mut self, now: UnixMillis) {
        if self.len() < self.sweep_at.max(FEW) {
            return;
        }
        self.sessions.retain(|_, until| *until > now);
        self.accounts.retain(|_, until| *until > now);
        self.devices.retain(|_, removal| removal.until > now);
        self.devices_of.retain(|_, until| *until > now);
        self.sweep_at = 2 * self.len();
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len() + self.accounts.len() + self.devices.len() + self.devices_of.len()
    }
}
