//! The subscribers of this process, by shard and exact key.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use tokio::sync::Notify;

use super::{LiveEvent, LiveTransport, Route, shard_of};

type Slots = Vec<Arc<Slot>>;

/// Delivers events to the subscriptions of this process.
pub struct Hub {
    shards: Vec<Mutex<HashMap<Box<[u8]>, Slots>>>,
    all: Mutex<Slots>,
    /// Weak, as the transport holds the hub.
    transport: OnceLock<Weak<dyn LiveTransport>>,
}

impl Hub {
    /// Makes a hub without subscribers; one for each transport.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..256).map(|_| Mutex::default()).collect(),
            all: Mutex::default(),
            transport: OnceLock::new(),
        })
    }

    /// Hands an event to the subscriptions it is for. Never blocks.
    pub fn deliver(&self, route: Route, event: LiveEvent) {
        let event = Arc::new(event);
        match route {
            Route::Shard(shard) => {
                if let Some(slots) = self.shard(shard).get(event.shard_key.as_ref()) {
                    slots.iter().for_each(|slot| slot.push(&event));
                }
            }
            Route::All => lock(&self.all).iter().for_each(|slot| slot.push(&event)),
        }
    }

    /// Tells the subscriptions of `route` that they may have missed events.
    pub fn lagged(&self, route: Route) {
        match route {
            Route::Shard(shard) => self.shard(shard).values().flatten().for_each(|slot| slot.lag()),
            Route::All => lock(&self.all).iter().for_each(|slot| slot.lag()),
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
        let slot = Slot::new(capacity);
        let shard = shard_of(key);
        let mut keys = self.shard(shard);
        let first = keys.is_empty();
        keys.entry(key.into()).or_default().push(slot.clone());
        // Under the lock, so that interest follows the order in which subscriptions come and go.
        if first {
            self.set_interest(shard, true);
        }
        drop(keys);
        LiveSubscription { hub: self.clone(), slot, key: Some(key.into()) }
    }

    pub(super) fn subscribe_all(self: &Arc<Self>, capacity: usize) -> LiveSubscription {
        let slot = Slot::new(capacity);
        lock(&self.all).push(slot.clone());
        LiveSubscription { hub: self.clone(), slot, key: None }
    }

    fn unsubscribe(&self, key: Option<&[u8]>, slot: &Arc<Slot>) {
        let Some(key) = key else {
            lock(&self.all).retain(|other| !Arc::ptr_eq(other, slot));
            return;
        };
        let shard = shard_of(key);
        let mut keys = self.shard(shard);
        if let Some(slots) = keys.get_mut(key) {
            slots.retain(|other| !Arc::ptr_eq(other, slot));
            if slots.is_empty() {
                keys.remove(key);
            }
        }
        if keys.is_empty() {
            self.set_interest(shard, false);
        }
    }

    fn set_interest(&self, shard: u8, wanted: bool) {
        if let Some(transport) = self.transport.get().and_then(Weak::upgrade) {
            transport.set_interest(shard, wanted);
        }
    }

    fn shard(&self, shard: u8) -> MutexGuard<'_, HashMap<Box<[u8]>, Slots>> {
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
    key: Option<Box<[u8]>>,
}

impl LiveSubscription {
    /// Waits for the next notice. Cancel-safe.
    pub async fn recv(&mut self) -> LiveNotice {
        loop {
            if let Some(notice) = self.try_recv() {
                return notice;
            }
            self.slot.arrived.notified().await;
        }
    }

    /// Takes the next notice if there is one.
    pub fn try_recv(&mut self) -> Option<LiveNotice> {
        let mut queue = lock(&self.slot.queue);
        if std::mem::take(&mut queue.lagged) {
            return Some(LiveNotice::Lagged);
        }
        queue.events.pop_front().map(LiveNotice::Event)
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.key.as_deref(), &self.slot);
    }
}

/// A subscription's bounded queue. Not a channel: tens of thousands of idle sockets each hold one, and this one
/// allocates nothing before its first event.
struct Slot {
    queue: Mutex<Queue>,
    arrived: Notify,
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Arc<LiveEvent>>,
    lagged: bool,
}

impl Slot {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), arrived: Notify::new(), capacity })
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
        self.arrived.notify_one();
    }

    fn lag(&self) {
        let mut queue = lock(&self.queue);
        queue.events = VecDeque::new();
        queue.lagged = true;
        drop(queue);
        self.arrived.notify_one();
    }
}

/// No code panics while it holds one of these locks half-way through a change, so a poisoned one is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Live;

    fn event(key: &str, kind: &str) -> LiveEvent {
        LiveEvent::new(key.as_bytes().to_vec(), kind, "")
    }

    fn kinds(subscription: &mut LiveSubscription) -> Vec<String> {
        std::iter::from_fn(|| subscription.try_recv())
            .map(|notice| match notice {
                LiveNotice::Event(event) => event.kind.clone(),
                LiveNotice::Lagged => "(lagged)".into(),
            })
            .collect()
    }

    #[tokio::test]
    async fn subscriber_receives_its_key_alone() {
        let live = Live::in_process();
        let mut alice = live.subscribe(b"alice");
        let mut again = live.subscribe(b"alice");
        // A key in the same shard must be told apart by the key itself.
        let neighbour = (0..).map(|n| format!("k{n}")).find(|k| shard_of(k.as_bytes()) == shard_of(b"alice"));
        let neighbour = neighbour.expect("some key shares the shard");
        let mut near = live.subscribe(neighbour.as_bytes());

        live.publish(event("alice", "one"));
        live.publish(event("bob", "two"));
        live.publish(event("alice", "three"));

        let LiveNotice::Event(first) = alice.recv().await else { panic!("lagged") };
        assert_eq!(first.kind, "one");
        assert_eq!(kinds(&mut alice), ["three"]);
        assert_eq!(kinds(&mut again), ["one", "three"]);
        assert_eq!(kinds(&mut near), [""; 0]);
    }

    #[test]
    fn slow_subscriber_is_told_that_it_lagged_and_goes_on() {
        let hub = Hub::new();
        let mut slow = hub.subscribe(b"k", 2);
        let mut other = hub.subscribe(b"k", 8);

        for kind in ["1", "2", "3", "4"] {
            hub.deliver(Route::Shard(shard_of(b"k")), event("k", kind));
        }

        assert_eq!(kinds(&mut slow), ["(lagged)", "3", "4"]);
        assert_eq!(kinds(&mut other), ["1", "2", "3", "4"]);
    }

    #[test]
    fn broadcast_reaches_every_subscriber_of_broadcasts_and_nobody_else() {
        let live = Live::in_process();
        let (mut one, mut two, mut keyed) =
            (live.subscribe_all(), live.subscribe_all(), live.subscribe(b"k"));

        live.broadcast(event("k", "revoked"));

        assert_eq!(kinds(&mut one), ["revoked"]);
        assert_eq!(kinds(&mut two), ["revoked"]);
        assert_eq!(kinds(&mut keyed), [""; 0]);
    }

    #[tokio::test]
    async fn waiting_subscriber_is_woken() {
        let live = Live::in_process();
        let mut subscription = live.subscribe(b"k");
        let waiting = tokio::spawn(async move { subscription.recv().await });
        tokio::task::yield_now().await;

        live.publish(event("k", "hello"));

        let notice = tokio::time::timeout(std::time::Duration::from_secs(5), waiting).await;
        assert_eq!(
            notice.expect("woken").expect("no panic"),
            LiveNotice::Event(Arc::new(event("k", "hello")))
        );
    }

    #[derive(Default)]
    struct Wire {
        interest: Mutex<Vec<(u8, bool)>>,
        sent: Mutex<Vec<Route>>,
    }

    impl LiveTransport for Wire {
        fn publish(&self, route: Route, _: &LiveEvent) {
            lock(&self.sent).push(route);
        }
        fn set_interest(&self, shard: u8, wanted: bool) {
            lock(&self.interest).push((shard, wanted));
        }
        fn is_connected(&self) -> bool {
            false
        }
    }

    #[test]
    fn transport_hears_of_the_first_and_the_last_subscription_of_a_shard() {
        let (hub, wire) = (Hub::new(), Arc::new(Wire::default()));
        let live = Live::over(hub.clone(), wire.clone());
        let shard = shard_of(b"k");

        let (first, mut second) = (live.subscribe(b"k"), live.subscribe(b"k"));
        live.publish(event("k", "both"));
        hub.lagged(Route::Shard(shard));
        assert_eq!(hub.shards_in_use(), [shard]);
        assert_eq!(kinds(&mut second), ["(lagged)"]);
        drop((first, second));

        assert_eq!(*lock(&wire.interest), [(shard, true), (shard, false)]);
        assert_eq!(*lock(&wire.sent), [Route::Shard(shard)]);
        assert!(hub.shards_in_use().is_empty());
        assert!(!live.is_connected());
    }
}
