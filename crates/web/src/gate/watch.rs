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

use common::models::{AccountId, SessionId};
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

struct Signal {
    caller: Caller,
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
        let signal = Signal { caller: *caller, ended: AtomicBool::new(false), waker: AtomicWaker::new() };
        let signal = Arc::new(signal);
        let mut maps = watches.maps();
        maps.next += 1;
        let number = maps.next;
        maps.sessions.insert((caller.session.to_bytes(), number), Arc::clone(&signal));
        maps.accounts.insert((caller.account.to_bytes(), number), Arc::clone(&signal));
        Watch { number, signal, watches: Arc::clone(watches) }
    }

    pub(super) fn end_session(&self, session: SessionId) {
        let maps = self.maps();
        of(&maps.sessions, session.to_bytes()).for_each(|signal| signal.end());
    }

    pub(super) fn end_account(&self, account: AccountId, concerns: impl Fn(&Caller) -> bool) {
        let maps = self.maps();
        let signals = of(&maps.accounts, account.to_bytes());
        signals.filter(|signal| concerns(&signal.caller)).for_each(|signal| signal.end());
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
        let caller = self.signal.caller;
        let mut maps = self.watches.maps();
        maps.sessions.remove(&(caller.session.to_bytes(), self.number));
        maps.accounts.remove(&(caller.account.to_bytes(), self.number));
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("revoked", &self.is_revoked()).finish_non_exhaustive()
    }
}
