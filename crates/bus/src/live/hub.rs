//! The subscribers of this process, by shard and exact key.

use std::{
    collections::{BTreeMap, VecDeque, hash_map::RandomState},
    future::poll_fn,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use futures_util::task::AtomicWaker;

use super::{LiveEvent, LiveTransport, Route, shard_of};

/// The hash of a key, then the number of the subscription. A sorted map holds one small entry for each of tens of
/// thousands of subscriptions, where a map of lists would hold a list and a second copy of the key.
type Place = (u64, u64);

type Slots = BTreeMap<Place, Arc<Slot>>;

/// Delivers events to the subscriptions of this process.
pub struct Hub {
    shards: Vec<Mutex<Slots>>,
    all: Mutex<Slots>,
    hasher: RandomState,
    next: AtomicU64,
    /// Weak, as the transport holds the hub.
    transport: OnceLock<Weak<dyn LiveTransport>>,
}

impl Hub {
    /// Makes a hub without subscribers; one for each transport.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..256).map(|_| Mutex::default()).collect(),
            all: Mutex::default(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
            transport: OnceLock::new(),
        })
    }

    /// Hands an event to the subscriptions it is for. Never blocks.
    pub fn deliver(&self, route: Route, event: LiveEvent) {
        let event = Arc::new(event);
        match route {
            Route::Shard(shard) => {
                let hash = self.hasher.hash_one(&event.shard_key[..]);
                self.shard(shard)
                    .range((hash, 0)..=(hash, u64::MAX))
                    .filter(|(_, slot)| slot.key.as_deref() == Some(&event.shard_key[..]))
                    .for_each(|(_, slot)| slot.push(&event));
            }
            Route::All => lock(&self.all).values().for_each(|slot| slot.push(&event)),
        }
    }

    /// Tells the subscriptions of `route` that they may have missed events.
    pub fn lagged(&self, route: Route) {
        match route {
            Route::Shard(shard) => self.shard(shard).values().for_each(|slot| slot.lag()),
            Route::All => lock(&self.all).values().for_each(|slot| slot.lag()),
        }
    }

    /// Tells in which shards this process has subscriptions.
    pub fn shards_in_use(&self) -> Vec<u8> {
        (0..=u8::MAX).filter(|shard| !self.shard(*shard).is_empty()).collect()
    }

    pub(super) fn attach(&self, transport: &Arc<dyn LiveTransport>) {
        // A second transport would be a mistake in the wiring; the first one stays.
        let _ = self.transport.set(Arc::downgrade(transport));
    }

    pub(super) fn subscribe(self: &Arc<Self>, key: &[u8], capacity: usize) -> LiveSubscription {
        let slot = Slot::new(Some(key), capacity);
        let place = (self.hasher.hash_one(key), self.number());
        let shard = shard_of(key);
        let mut slots = self.shard(shard);
        let first = slots.is_empty();
        slots.insert(place, slot.clone());
        // Under the lock, so that interest follows the order in which subscriptions come and go.
        if first {
            self.set_interest(shard, true);
        }
        drop(slots);
        LiveSubscription { hub: self.clone(), slot, place }
    }

    pub(super) fn subscribe_all(self: &Arc<Self>, capacity: usize) -> LiveSubscription {
        let slot = Slot::new(None, capacity);
        let place = (0, self.number());
        lock(&self.all).insert(place, slot.clone());
        LiveSubscription { hub: self.clone(), slot, place }
    }

    fn unsubscribe(&self, key: Option<&[u8]>, place: Place) {
        let Some(key) = key else {
            lock(&self.all).remove(&place);
            return;
        };
        let shard = shard_of(key);
        let mut slots = self.shard(shard);
        slots.remove(&place);
        if slots.is_empty() {
            self.set_interest(shard, false);
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn set_interest(&self, shard: u8, wanted: bool) {
        if let Some(transport) = self.transport.get().and_then(Weak::upgrade) {
            transport.set_interest(shard, wanted);
        }
    }

    fn shard(&self, shard: u8) -> MutexGuard<'_, Slots> {
        lock(&self.shards[usize::from(shard)])
    }
}

/// What a subscription hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveNotice {
    /// An event.
    Event(Arc<LiveEvent>),
    /// Events were missed before those that follow: read the state anew.
    Lagged,
}

/// A subscription; it ends when it is dropped.
pub struct LiveSubscription {
    hub: Arc<Hub>,
    slot: Arc<Slot>,
    place: Place,
}

impl LiveSubscription {
    /// Waits for the next notice. Cancel-safe.
    pub async fn recv(&mut self) -> LiveNotice {
        poll_fn(|context| {
            // Named before the look, so that what arrives between the two wakes it.
            self.slot.arrived.register(context.waker());
            self.try_recv().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Takes the next notice if there is one.
    pub fn try_recv(&mut self) -> Option<LiveNotice> {
        let mut queue = lock(&self.slot.queue);
        if std::mem::take(&mut queue.lagged) {
            return Some(LiveNotice::Lagged);
        }
        let event = queue.events.pop_front()?;
        if queue.events.is_empty() {
            // Gives the memory back: most subscriptions hear an event now and then.
            queue.events = VecDeque::new();
        }
        Some(LiveNotice::Event(event))
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.slot.key.as_deref(), self.place);
    }
}

/// A subscription's bounded queue. Not a channel: tens of thousands of idle sockets each hold one, and this one
/// holds no buffer while there is no event.
struct Slot {
    /// `None`: broadcasts.
    key: Option<Box<[u8]>>,
    queue: Mutex<Queue>,
    arrived: AtomicWaker,
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Arc<LiveEvent>>,
    lagged: bool,
}

impl Slot {
    fn new(key: Option<&[u8]>, capacity: usize) -> Arc<Self> {
        let (queue, arrived) = (Mutex::default(), AtomicWaker::new());
        Arc::new(Self { key: key.map(Box::from), queue, arrived, capacity })
    }

    fn push(&self, event: &Arc<LiveEvent>) {
        let mut queue = lock(&self.queue);
        if queue.events.len() >= self.capacity {
            // Whoever lagged reads its state anew, so what is queued tells it nothing more.
            queue.events = VecDeque::new();
            queue.lagged = true;
        }
        queue.events.push_back(event.clone());
        drop(queue);
        self.arrived.wake();
    }

    fn lag(&self) {
        let mut queue = lock(&self.queue);
        queue.events = VecDeque::new();
        queue.lagged = true;
        drop(queue);
        self.arrived.wake();
    }
}

/// No code panics while it holds one of these locks half-way through a change, so a poisoned one is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
