//! Events that do not arrive, and a broker that takes none: it is known.

use std::time::Duration;

use bus::live::LiveNotice;
use testkit::rabbitmq::{RabbitMq, vhost};
use testkit::wait::{wait_for_within, wait_until};

use crate::way::Way;
use crate::{bound, event, kinds_until, pod};

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_is_lost_with_its_connection_is_made_known() {
    let vhost = vhost().await;
    let way = Way::to(vhost.url()).await;
    let (here, there) = (pod(&way.url).await, pod(vhost.url()).await);
    let mut subscription = there.subscribe(b"alice");
    bound(&vhost, "alice").await;
    here.publish(event("alice", "before"));
    kinds_until(&mut subscription, "before").await;

    way.hold();
    here.publish(event("alice", "lost"));
    // More than a heartbeat.
    wait_until("the event to be on its way", || async { way.held() > 60 }).await;
    way.cut();

    let told = tokio::time::timeout(Duration::from_secs(20), subscription.recv()).await;
    assert_eq!(told.expect("a notice"), LiveNotice::Lagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_confirms_nothing_counts_as_away_until_it_does() {
    let vhost = vhost().await;
    let way = Way::to(vhost.url()).await;
    let (here, there) = (pod(&way.url).await, pod(vhost.url()).await);
    let mut subscription = there.subscribe(b"alice");
    bound(&vhost, "alice").await;

    way.hold();
    here.publish(event("alice", "late"));
    // Sooner than a lost connection would be noticed by its heartbeats.
    wait_for_within(Duration::from_secs(15), "that nothing is confirmed", || {
        let away = !here.is_connected();
        async move { away.then_some(()) }
    })
    .await;
    way.release();

    wait_until("the confirms", || async { here.is_connected() }).await;
    kinds_until(&mut subscription, "late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_short_of_memory_counts_as_away() {
    let node = RabbitMq::short_of_memory().await.expect("a node");
    let live = pod(&node.url()).await;

    live.publish(event("alice", "waits"));

    wait_until("the alarm to be noticed", || async { !live.is_connected() }).await;
}
