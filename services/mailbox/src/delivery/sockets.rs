//! The websockets of this process: at most one for each mailbox.
//!
//! A device that connects takes the seat of its mailbox; whoever had it is told to leave. Between processes the claims
//! in the mailboxes' rows decide ([`Presence`](crate::domain::Presence)); a seat carries the number of its claim, by
//! which hints and the patrol tell an earlier connection from a later one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use telemetry::prometheus::IntGauge;
use tokio::sync::{Notify, oneshot};

use crate::domain::{LiveKey, MailboxId};

/// Who sits where. Clones share it.
#[derive(Clone)]
pub(crate) struct Sockets(Arc<Shared>);

struct Shared {
    seats: Mutex<Seats>,
    /// Claims that still have to be ended in the tables, by mailbox.
    owed: Mutex<HashMap<MailboxId, i64>>,
    /// Mailboxes of which nobody knows whether a claim was stored.
    doubted: Mutex<HashSet<MailboxId>>,
    gauge: IntGauge,
    patrol: Notify,
}

/// By key, so that a patrol can go on where it was.
type Seats = BTreeMap<LiveKey, Arc<Signal>>;

/// What one connection is told from outside. There is one for each idle socket, so it is kept small.
#[derive(Default)]
struct Signal {
    /// The number of its claim; 0 before it has one.
    claim: AtomicI64,
    displaced: AtomicBool,
    look: AtomicBool,
    waker: AtomicWaker,
    /// Dropped with the seat, for the successor that waits.
    left: Mutex<Option<oneshot::Sender<()>>>,
}

impl Signal {
    fn displace(&self) {
        self.displaced.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    fn look(&self) {
        self.look.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

/// What a seat is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The same device has connected again.
    Displaced,
    /// The mailbox may have changed: look at it.
    Look,
}

impl Sockets {
    /// Makes the registry of a process; `gauge` shows how many seats are taken.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        let (seats, owed, doubted) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { seats, owed, doubted, gauge, patrol: Notify::new() }))
    }

    /// Takes the seat of a mailbox, and tells whoever had it to leave.
    pub(crate) fn take(&self, id: MailboxId) -> Seat {
        let signal = Arc::<Signal>::default();
        let mut seats = self.0.seats();
        let earlier = seats.insert(id.live_key(), Arc::clone(&signal));
        // Under the lock of the seats, which the earlier one needs to leave.
        let earlier = earlier.map(|earlier| {
            let (tell, left) = oneshot::channel();
            *lock(&earlier.left) = Some(tell);
            earlier.displace();
            left
        });
        self.0.show(&seats);
        drop(seats);
        Seat { sockets: self.clone(), id, signal, earlier }
    }

    /// Tells a device's connection to look at its mailbox, if there is one here.
    pub(crate) fn tell_to_look(&self, id: MailboxId) {
        if let Some(signal) = self.0.seats().get(&id.live_key()) {
            signal.look();
        }
    }

    /// Tells a device's connection that a claim was made, if there is one here.
    pub(crate) fn tell_of_claim(&self, id: MailboxId, claim: i64) {
        if let Some(signal) = self.0.seats().get(&id.live_key())
            && gives_way(signal, claim)
        {
            signal.displace();
        }
    }

    /// The number of the claim by which a device is connected here.
    pub(crate) fn claim_of(&self, id: MailboxId) -> Option<i64> {
        self.0.seats().get(&id.live_key()).map(|signal| signal.claim.load(Ordering::SeqCst))
    }

    /// Up to `count` mailboxes that have a seat, those after `key`, with the key to go on from.
    pub(crate) fn after(&self, key: Option<LiveKey>, count: usize) -> (Vec<MailboxId>, Option<LiveKey>) {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let seats = self.0.seats();
        let keys: Vec<LiveKey> =
            seats.range((from, Bound::Unbounded)).map(|(key, _)| *key).take(count).collect();
        drop(seats);
        let last = keys.last().copied();
        (keys.into_iter().filter_map(MailboxId::from_live_key).collect(), last)
    }

    /// Asks for a patrol at once.
    pub(crate) fn ask_for_patrol(&self) {
        self.0.patrol.notify_one();
    }

    /// Waits until a patrol is asked for.
    pub(crate) async fn patrol_asked(&self) {
        self.0.patrol.notified().await;
    }

    /// Keeps a claim that has to be ended later.
    pub(crate) fn owe(&self, id: MailboxId, claim: i64) {
        let mut owed = lock(&self.0.owed);
        let latest = owed.entry(id).or_insert(claim);
        *latest = claim.max(*latest);
    }

    /// Takes all claims that have to be ended.
    pub(crate) fn take_owed(&self) -> Vec<(MailboxId, i64)> {
        std::mem::take(&mut *lock(&self.0.owed)).into_iter().collect()
    }

    /// Keeps a mailbox whose row may name a claim of which its connection never heard.
    pub(crate) fn doubt(&self, id: MailboxId) {
        lock(&self.0.doubted).insert(id);
    }

    /// Takes all mailboxes that are in doubt.
    pub(crate) fn take_doubted(&self) -> Vec<MailboxId> {
        std::mem::take(&mut *lock(&self.0.doubted)).into_iter().collect()
    }
}

impl Shared {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        lock(&self.seats)
    }

    fn show(&self, seats: &Seats) {
        self.gauge.set(i64::try_from(seats.len()).unwrap_or(i64::MAX));
    }
}

fn gives_way(signal: &Signal, claim: i64) -> bool {
    let own = signal.claim.load(Ordering::SeqCst);
    own != 0 && own < claim
}

/// Entries are put in and taken out whole, so a poisoned lock is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The seat of one connection, left when it is dropped.
pub(crate) struct Seat {
    sockets: Sockets,
    id: MailboxId,
    signal: Arc<Signal>,
    earlier: Option<oneshot::Receiver<()>>,
}

impl Seat {
    /// Waits, for no longer than `patience`, until the connection that had the seat has left it.
    pub(crate) async fn earlier_left(&mut self, patience: Duration) {
        if let Some(earlier) = self.earlier.take() {
            // If it does not leave in time, the device gets some envelopes on both, which it has to bear anyway.
            let _ = tokio::time::timeout(patience, earlier).await;
        }
    }

    /// Tells whether the same device has connected again.
    pub(crate) fn is_displaced(&self) -> bool {
        self.signal.displaced.load(Ordering::SeqCst)
    }

    /// Notes the number of the connection's claim.
    pub(crate) fn claimed(&self, claim: i64) {
        self.signal.claim.store(claim, Ordering::SeqCst);
    }

    /// The number of the connection's claim; 0 before it has one.
    pub(crate) fn claim(&self) -> i64 {
        self.signal.claim.load(Ordering::SeqCst)
    }

    /// Tells whether a claim with this number takes the seat away.
    pub(crate) fn gives_way_to(&self, claim: i64) -> bool {
        gives_way(&self.signal, claim)
    }

    /// Waits until the connection is told something. Safe to drop before.
    pub(crate) async fn sign(&self) -> Sign {
        poll_fn(|context| {
            self.signal.waker.register(context.waker());
            if self.signal.displaced.load(Ordering::SeqCst) {
                Poll::Ready(Sign::Displaced)
            } else if self.signal.look.swap(false, Ordering::SeqCst) {
                Poll::Ready(Sign::Look)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.sockets.0.seats();
        let key = self.id.live_key();
        // The successor may have the entry already.
        if seats.get(&key).is_some_and(|taken| Arc::ptr_eq(taken, &self.signal)) {
            seats.remove(&key);
        }
        lock(&self.signal.left).take();
        self.sockets.0.show(&seats);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use common::models::{AccountId, DeviceId};
    use futures_util::FutureExt;

    use super::*;

    fn sockets() -> Sockets {
        Sockets::new(IntGauge::new("sockets", "Devices connected.").unwrap())
    }

    fn id() -> MailboxId {
        MailboxId { account: AccountId::new(), device: DeviceId::new(1).unwrap() }
    }

    #[tokio::test]
    async fn a_successor_keeps_the_seat_when_its_predecessor_leaves() {
        let (sockets, id) = (sockets(), id());
        let first = sockets.take(id);

        let mut second = sockets.take(id);

        assert_eq!(first.sign().now_or_never(), Some(Sign::Displaced));
        assert!(first.is_displaced() && !second.is_displaced());
        assert_eq!(second.sign().now_or_never(), None);
        drop(first);
        let first_left = Instant::now();
        second.earlier_left(Duration::from_secs(60)).await;
        assert!(first_left.elapsed() < Duration::from_secs(30));
        assert_eq!(sockets.claim_of(id), Some(0));
        drop(second);
        assert_eq!(sockets.claim_of(id), None);
        assert_eq!(sockets.0.gauge.get(), 0);
    }

    #[test]
    fn only_a_later_claim_takes_a_seat_away() {
        let (sockets, id) = (sockets(), id());
        let seat = sockets.take(id);
        sockets.tell_of_claim(id, 5);
        assert_eq!(
            seat.sign().now_or_never(),
            None,
            "before its own claim it waits for the tables to decide"
        );
        seat.claimed(7);

        for claim in [5, 7] {
            sockets.tell_of_claim(id, claim);
            assert!(!seat.gives_way_to(claim));
        }
        assert_eq!(seat.sign().now_or_never(), None);

        sockets.tell_of_claim(id, 8);
        assert_eq!(seat.sign().now_or_never(), Some(Sign::Displaced));
    }

    #[test]
    fn a_patrol_comes_to_every_seat_once() {
        let sockets = sockets();
        let ids: Vec<MailboxId> = (0..10).map(|_| id()).collect();
        let _seats: Vec<Seat> = ids.iter().map(|id| sockets.take(*id)).collect();

        let (mut seen, mut key) = (Vec::new(), None);
        loop {
            let (mut some, last) = sockets.after(key, 3);
            if some.is_empty() {
                break;
            }
            seen.append(&mut some);
            key = last;
        }

        assert_eq!(seen.len(), 10);
        assert!(ids.iter().all(|id| seen.contains(id)));
    }
}
