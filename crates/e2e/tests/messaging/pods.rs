//! Two processes of mailbox on one PostgreSQL and one RabbitMQ, killed in turn: what was answered with 200 by either
//! arrives, wherever the device connects next.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use testkit::database::TestDb;
use testkit::host::Apps;
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

use crate::crash::{kill_at_random, prepare, start};
use crate::harness::{Front, Seeded, launch};
use crate::people::{Device, Person};
use crate::traffic::{Progress, receive, send_all};

/// Devices that send to each process at once.
const SENDERS: usize = 10;
/// Messages that each sends.
const EACH: usize = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_in_turn_lose_nothing_that_either_accepted() {
    let (db, vhost) = (TestDb::postgres().await, vhost().await);
    let live = [("live.url", vhost.url()), ("mailbox.process_check", "500ms")];
    let (mut here, mut there) = (prepare(&live), prepare(&live));
    let others = Apps::of::<auth::App>().and::<keystore::App>();
    let others = launch(others, &db, &[("internal.mailbox_url", &here.internal_url)]).await;
    start(&mut here, &db, &others).await;
    start(&mut there, &db, &others).await;
    others.started().await;
    let fronts = [&here, &there].map(|pod| Front::of(&others.url, &others.url, &pod.url));
    let (_, bob) = Person::with_device(&fronts[0]).await;
    let senders = fronts.iter().cycle().take(2 * SENDERS);
    let senders: Vec<Device> =
        join_all(senders.map(|front| async { Person::with_device(front).await.1 })).await;
    let (progress, total) = (Progress::default(), 2 * SENDERS * EACH);

    let urls = [&*fronts[0].mailbox_url, &*fronts[1].mailbox_url];
    let sending = send_all(&senders, &bob, EACH, &progress);
    let receiving = receive(&bob, &urls, total, Seeded::new(0x0b0b));
    let mut pods = [&mut here, &mut there];
    let killing = kill_at_random(&mut pods, total, &progress, Seeded::new(0x90d5));
    let (accepted, mut received, ()) = tokio::join!(sending, receiving, killing);

    received.assert_exactly(&accepted);
    assert!(progress.failures.load(Ordering::SeqCst) > 0, "nobody noticed the kills");
    assert!(received.connections > 2, "the receiver was never cut off");
    let (left, _) = bob.at(&fronts[1]).socket().await.backlog().await;
    left.into_iter().for_each(|envelope| received.note(envelope));
    assert_eq!(received.envelopes.len(), total, "there was more than what was accepted");
    wait_until("an empty mailbox", || async { bob.waiting().await.is_empty() }).await;
    others.stop().await;
}
