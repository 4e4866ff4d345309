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
    let (mut one, mut two, mut keyed) = (live.subscribe_all(), live.subscribe_all(), live.subscribe(b"k"));

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
    assert_eq!(notice.expect("woken").expect("no panic"), LiveNotice::Event(Arc::new(event("k", "hello"))));
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

    fn begin(&self) {}
}

#[test]
fn what_is_published_elsewhere_is_not_heard_here_and_not_made_for_nobody() {
    let (hub, wire) = (Hub::new(), Arc::new(Wire::default()));
    let (alone, live) = (Live::in_process(), Live::over(hub, wire.clone()));
    let mut here = live.subscribe(b"k");

    alone.publish_elsewhere(|| panic!("there is nobody"));
    live.publish_elsewhere(|| event("k", "there"));

    assert_eq!(kinds(&mut here), [""; 0]);
    assert_eq!(*lock(&wire.sent), [Route::Shard(shard_of(b"k"))]);
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
