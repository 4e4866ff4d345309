//! Who is connected for long, so that a revocation reaches exactly those whom it concerns.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use futures_util::task::AtomicWaker;

use crate::Caller;

/// 16 octets of an id, then the number of the watch. Sorted maps hold one small entry per connection, where a map of
/// lists would hold an allocation for each.
type Key = ([u8; 16], u64);

/// The connections that are watched over.
#[derive(Default)]
pub(super) struct Watches(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    next: u64,
    sessions: BTreeMap<Key, Arc<Signal>>,
    accounts: BTreeMap<Key, Arc<Signal>>,
}

/// Ids as octets: there is one of these for every connection.
struct Signal {
    session: [u8; 16],
    account: [u8; 16],
    device: Option<DeviceId>,
    issued_at: UnixMillis,
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

impl Watches {
    pub(super) fn register(watches: &Arc<Self>, caller: &Caller) -> Watch {
        let signal = Arc::new(Signal {
            session: caller.session.to_bytes(),
            account: caller.account.to_bytes(),
            device: caller.device,
            issued_at: caller.issued_at,
            ended: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let mut maps = watches.maps();
        maps.next += 1;
        let number = maps.next;
        maps.sessions.insert((signal.session, number), Arc::clone(&signal));
        maps.accounts.insert((signal.account, number), Arc::clone(&signal));
        Watch { number, signal, watches: Arc::clone(watches) }
    }

    pub(super) fn end_session(&self, session: SessionId) {
        let maps = self.maps();
        of(&maps.sessions, session.to_bytes()).for_each(|signal| signal.end());
    }

    pub(super) fn end_account(&self, account: AccountId) {
        let maps = self.maps();
        of(&maps.accounts, account.to_bytes()).for_each(|signal| signal.end());
    }

    /// Ends those by which a session speaks for a device.
    pub(super) fn end_device_of(&self, (session, device): (SessionId, DeviceId)) {
        let maps = self.maps();
        of(&maps.sessions, session.to_bytes())
            .filter(|signal| signal.device == Some(device))
            .for_each(|signal| signal.end());
    }

    /// Ends those whose token was issued up to `removed_at`.
    pub(super) fn end_device(&self, (account, device): (AccountId, DeviceId), removed_at: UnixMillis) {
        let maps = self.maps();
        of(&maps.accounts, account.to_bytes())
            .filter(|signal| signal.device == Some(device) && signal.issued_at <= removed_at)
            .for_each(|signal| signal.end());
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(map: &BTreeMap<Key, Arc<Signal>>, id: [u8; 16]) -> impl Iterator<Item = &Arc<Signal>> {
    map.range((id, 0)..=(id, u64::MAX)).map(|(_, signal)| signal)
}

/// Tells one connection when its caller is revoked. Wait for it beside the connection; dropping it ends the watch.
pub struct Watch {
    number: u64,
    signal: Arc<Signal>,
    watches: Arc<Watches>,
}

impl Watch {
    /// Resolves once the caller's session, account or device is revoked. Safe to drop before.
    pub async fn revoked(&mut self) {
        poll_fn(|context| {
            self.signal.waker.register(context.waker());
            if self.is_revoked() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Tells whether the caller has been revoked.
    pub fn is_revoked(&self) -> bool {
        self.signal.ended.load(Ordering::SeqCst)
    }

    pub(super) fn end(&self) {
        self.signal.end();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut maps = self.watches.maps();
        maps.sessions.remove(&(self.signal.session, self.number));
        maps.accounts.remove(&(self.signal.account, self.number));
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("revoked", &self.is_revoked()).finish_non_exhaustive()
    }
}
