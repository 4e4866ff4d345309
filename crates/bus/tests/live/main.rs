//! Live fan-out over a real RabbitMQ. A `Live` is one pod.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod losses;
mod tls;
mod way;

use std::time::Duration;

use bus::AmqpTlsSettings;
use bus::live::{Live, LiveEvent, LiveNotice, LiveSubscription, shard_of};
use telemetry::RequestContext;
use testkit::{
    rabbitmq::{RabbitMq, Vhost, vhost},
    wait::{wait_for, wait_for_within, wait_until},
};

fn event(key: &str, kind: &str) -> LiveEvent {
    LiveEvent::new(key.as_bytes().to_vec(), kind, "payload")
}

async fn pod(url: &str) -> Live {
    let live = Live::amqp(url, &AmqpTlsSettings::default()).expect("an AMQP URL");
    wait_until("a connection", || async { live.is_connected() }).await;
    live
}

/// The kinds of the events up to and with `last`, without notices of lag.
async fn kinds_until(subscription: &mut LiveSubscription, last: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    let read = async {
        while kinds.last().is_none_or(|kind| kind != last) {
            if let LiveNotice::Event(event) = subscription.recv().await {
                kinds.push(event.kind.clone());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap_or_else(|_| panic!("no {last}"));
    kinds
}

/// Routing keys by which queues are bound to the exchange of live events.
async fn bindings(vhost: &Vhost) -> Vec<String> {
    wait_for("the exchange", || async { vhost.bindings("sealpost.live").await.ok() }).await
}

async fn bound(vhost: &Vhost, key: &str) {
    let key = format!("shard.{}", shard_of(key.as_bytes()));
    wait_until("a binding", || async { bindings(vhost).await.contains(&key) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn event_reaches_subscribers_in_all_pods_once_each() {
    let vhost = vhost().await;
    let (here, there) = (pod(vhost.url()).await, pod(vhost.url()).await);
    let (mut near, mut far) = (here.subscribe(b"alice"), there.subscribe(b"alice"));
    let mut other = there.subscribe(b"bob");
    bound(&vhost, "alice").await;
    wait_until("both bindings", || async { bindings(&vhost).await.len() >= 5 }).await;

    for kind in ["one", "two", "end"] {
        here.publish(event("alice", kind));
    }
    here.publish(event("bob", "end"));

    assert_eq!(kinds_until(&mut far, "end").await, ["one", "two", "end"]);
    assert_eq!(kinds_until(&mut other, "end").await, ["end"]);
    // Echoes would come by way of the broker as well, so before this answer.
    there.publish(event("alice", "answer"));
    assert_eq!(kinds_until(&mut near, "answer").await, ["one", "two", "end", "answer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_brings_the_trace_of_the_request_that_caused_it() {
    let vhost = vhost().await;
    let (here, there) = (pod(vhost.url()).await, pod(vhost.url()).await);
    let mut subscription = there.subscribe(b"alice");
    bound(&vhost, "alice").await;
    let request = RequestContext::from_headers(None, None);
    let expected = request.trace.trace_id();

    request.scope(async { here.publish(event("alice", "caused")) }).await;
    here.publish(event("alice", "of itself"));

    let mut traces = Vec::new();
    while traces.len() < 2 {
        let notice = tokio::time::timeout(Duration::from_secs(20), subscription.recv()).await;
        if let LiveNotice::Event(event) = notice.expect("a notice") {
            traces.push(event.trace.map(|trace| trace.trace_id()));
        }
    }
    assert_eq!(traces, [Some(expected), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_use_the_fan_out_makes_no_connection() {
    let vhost = vhost().await;
    let unused = Live::amqp(vhost.url(), &AmqpTlsSettings::default()).expect("an AMQP URL");
    let used = pod(vhost.url()).await;
    drop(used.subscribe_all());

    wait_until("one connection to be cut", || async {
        vhost.close_connections().await.is_ok_and(|count| count == 1)
    })
    .await;

    drop(unused);
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcast_reaches_every_pod_without_any_shard() {
    let vhost = vhost().await;
    let (here, there) = (pod(vhost.url()).await, pod(vhost.url()).await);
    let (mut near, mut far) = (here.subscribe_all(), there.subscribe_all());

    here.broadcast(event("", "revoked"));
    here.broadcast(event("", "end"));

    assert_eq!(kinds_until(&mut near, "end").await, ["revoked", "end"]);
    assert_eq!(kinds_until(&mut far, "end").await, ["revoked", "end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_is_bound_to_the_shards_of_its_subscribers_and_no_longer() {
    let vhost = vhost().await;
    let live = pod(vhost.url()).await;
    assert_eq!(bindings(&vhost).await, ["all"]);

    let subscriptions: Vec<_> = (0..500).map(|_| live.subscribe(b"alice")).collect();
    bound(&vhost, "alice").await;
    assert_eq!(bindings(&vhost).await.len(), 2);

    drop(subscriptions);
    wait_until("the binding to go", || async { bindings(&vhost).await == ["all"] }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connection_is_made_again_and_subscribers_are_told_to_look() {
    let vhost = vhost().await;
    let (here, there) = (pod(vhost.url()).await, pod(vhost.url()).await);
    let mut subscription = there.subscribe(b"alice");
    bound(&vhost, "alice").await;
    here.publish(event("alice", "before"));
    kinds_until(&mut subscription, "before").await;

    wait_until("both connections to be cut", || async {
        vhost.close_connections().await.is_ok_and(|count| count == 2)
    })
    .await;

    let told = tokio::time::timeout(Duration::from_secs(20), subscription.recv()).await;
    assert_eq!(told.expect("a notice"), LiveNotice::Lagged);
    wait_until("both to be back", || async { here.is_connected() && there.is_connected() }).await;
    // Whoever has not heard yet that its connection was cut publishes to nobody.
    arrives(&here, &mut subscription, "after").await;
}

/// Publishes an event again and again until it has arrived once.
async fn arrives(here: &Live, subscription: &mut LiveSubscription, kind: &str) {
    wait_for_within(Duration::from_secs(30), "an event", || {
        here.publish(event("alice", kind));
        let arrived = std::iter::from_fn(|| subscription.try_recv())
            .any(|notice| matches!(notice, LiveNotice::Event(event) if event.kind == kind));
        async move { arrived.then_some(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_broker_costs_a_notice_and_never_blocks_a_publisher() {
    let mut node = RabbitMq::start().await.expect("a node");
    let (here, there) = (pod(&node.url()).await, pod(&node.url()).await);
    let mut subscription = there.subscribe(b"alice");
    bound(&node.root(), "alice").await;

    node.kill();
    wait_until("the loss to be noticed", || async { !here.is_connected() && !there.is_connected() }).await;
    while subscription.try_recv().is_some() {}
    // Whoever waited for the broker would never come out of this: it is not back before.
    (0..20_000).for_each(|n| here.publish(event("alice", &n.to_string())));
    node.restart().await.expect("the node again");

    wait_for_within(Duration::from_secs(30), "a notice", || {
        let told = subscription.try_recv() == Some(LiveNotice::Lagged);
        async move { told.then_some(()) }
    })
    .await;
    wait_for("both pods", || async { (here.is_connected() && there.is_connected()).then_some(()) }).await;
    // What waited goes out first: until there is room again, an event may be dropped.
    arrives(&here, &mut subscription, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_told_when_a_publisher_had_to_drop_events() {
    let vhost = vhost().await;
    let (here, there) = (pod(vhost.url()).await, pod(vhost.url()).await);
    let mut bob = there.subscribe(b"bob");
    bound(&vhost, "bob").await;
    assert_eq!(bob.recv().await, LiveNotice::Lagged);

    // Nobody is subscribed to alice, so that nothing but the publisher's own queue is full.
    (0..100_000).for_each(|_| here.publish(event("alice", "burst")));

    let told = tokio::time::timeout(Duration::from_secs(20), bob.recv()).await;
    assert_eq!(told.expect("a notice"), LiveNotice::Lagged);
}

#[tokio::test]
async fn url_that_is_none_is_refused_without_being_shown() {
    let error =
        Live::amqp("http://user:hunter2@host", &AmqpTlsSettings::default()).map(drop).expect_err("not AMQP");

    assert!(!error.to_string().contains("hunter2"));
}
