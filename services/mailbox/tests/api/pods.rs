//! Two processes on one PostgreSQL, with RabbitMQ between them.

use std::time::{Duration, Instant};

use common::models::{Clock, SystemClock};
use serde_json::json;
use testkit::database::TestDb;
use testkit::rabbitmq::vhost;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_reached_displaced_and_revoked_across_processes() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let live = [("live.url", vhost.url())];
    let here = TestApp::start_with(&test, &live).await;
    let there = here.sibling(&test, &live).await;
    let (alice, bob) = (here.device().await, here.device().await);
    let bob_there = bob.at(&there);
    let mut first = bob.connect().await;
    first.queue_empty().await;

    alice.at(&there).send(&bob, "from the other process").await.assert_status(200);
    let (id, seq, _) = first.envelope().await;
    first.answer(id, 500).await;
    let mut second = bob_there.connect().await;

    assert_eq!(seq, 1);
    assert_eq!(first.closed().await, 4409);
    let (id, seq, _) = second.envelope().await;
    assert_eq!(seq, 1);
    second.answer(id, 200).await;
    assert_eq!(second.queue_empty().await, 1);

    let began = Instant::now();
    let now = SystemClock.now().as_i64();
    let event =
        json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
    here.nudge(&event).await;
    assert_eq!(second.closed().await, 4401);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    there.host.stop().await;
    here.host.stop().await;
}
