//! Events that do not arrive: it is known.

use std::time::Duration;

use bus::live::LiveNotice;
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

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
