//! Two processes on one PostgreSQL, with RabbitMQ between them.

use std::time::{Duration, Instant};

use common::models::{Clock, SystemClock};
use serde_json::json;
use testkit::database::TestDb;
use testkit::rabbitmq::{RabbitMq, vhost};

use crate::harness::{Device, Seen, Socket, TestApp};

/// What must take effect everywhere takes effect within this.
const PROMPTLY: Duration = Duration::from_secs(1);

/// What is only bounded, as the broker is away: a patrol's pause, and room for a loaded machine.
const BOUNDED: Duration = Duration::from_secs(8);

/// Two processes under test.
struct Pods {
    here: TestApp,
    there: TestApp,
}

impl Pods {
    async fn start(test: &TestDb, live: &str, more: &[(&str, &str)]) -> Self {
        let settings = [&[("live.url", live)], more].concat();
        let here = TestApp::start_with(test, &settings).await;
        let there = here.sibling(test, &settings).await;
        Self { here, there }
    }

    async fn stop(self) {
        self.there.host.stop().await;
        self.here.host.stop().await;
    }
}

/// Connects, and reads up to the end of an empty backlog.
async fn connected(device: &Device) -> Socket {
    let mut socket = device.connect().await;
    socket.queue_empty().await;
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_reached_displaced_and_revoked_across_processes() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let pods = Pods::start(&test, vhost.url(), &[]).await;
    let (alice, bob) = (pods.here.device().await, pods.here.device().await);
    let bob_there = bob.at(&pods.there);
    let mut first = connected(&bob).await;

    alice.at(&pods.there).send(&bob, "from the other process").await.assert_status(200);
    let (id, seq, _) = first.envelope().await;
    first.answer(id, 500).await;
    let began = Instant::now();
    let mut second = bob_there.connect().await;

    assert_eq!(seq, 1);
    assert_eq!(first.closed().await, 4409);
    assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());
    let (id, seq, _) = second.envelope().await;
    assert_eq!(seq, 1);
    second.answer(id, 200).await;
    assert_eq!(second.queue_empty().await, 1);

    let now = SystemClock.now().as_i64();
    let carol = pods.here.device().await;
    let dave = pods.here.device().await;
    let (third, fourth) = (connected(&carol.at(&pods.there)).await, connected(&dave.at(&pods.there)).await);
    let began = Instant::now();
    let event =
        json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
    pods.here.nudge(&event).await;
    pods.here.nudge(&json!({"type": "account.deleted", "accountId": carol.account, "at": now})).await;
    pods.here.close(&dave, dave.generation).await.assert_status(204);
    for socket in [second, third, fourth] {
        assert_eq!(socket.closed().await, 4401);
    }
    assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());
    pods.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_connections_that_come_at_once_exactly_one_stays() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let pods = Pods::start(&test, vhost.url(), &[]).await;
    let alice = pods.here.device().await;
    for _ in 0..10 {
        let bob = pods.here.device().await;
        let (here, there) = (bob.at(&pods.here), bob.at(&pods.there));

        let (a, b, c) = tokio::join!(here.connect(), there.connect(), there.connect());
        alice.send(&bob, "x").await.assert_status(200);

        let ends = futures_util::future::join_all([a, b, c].map(end_of));
        let ends = ends.await;
        let stayed = ends.iter().filter(|end| **end == Some(Seen::Closed(4409))).count();
        assert_eq!((stayed, ends.len()), (2, 3), "{ends:?}");
        assert_eq!(ends.iter().filter(|end| end.is_none()).count(), 1, "{ends:?}");
    }
    pods.stop().await;
}

/// How a connection ended within a time in which all that were displaced should have; `None`: it did not.
async fn end_of(mut socket: Socket) -> Option<Seen> {
    let closed = async {
        loop {
            if let end @ Seen::Closed(_) = socket.next().await {
                return end;
            }
        }
    };
    tokio::time::timeout(PROMPTLY, closed).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_goes_on_while_the_broker_is_away_and_heals_when_it_is_back() {
    let (test, mut broker) = (TestDb::postgres().await, RabbitMq::start().await.unwrap());
    let pods = Pods::start(&test, &broker.url(), &[("mailbox.recheck_away", "2s")]).await;
    let (alice, bob) = (pods.here.device().await, pods.here.device().await);
    let (sender, poller) = (alice.at(&pods.here), bob.at(&pods.there));
    let mut socket = connected(&poller).await;
    broker.kill();

    for number in 1..=3 {
        let began = Instant::now();
        sender.send(&bob, &format!("during the outage {number}")).await.assert_status(200);
        let (id, seq, _) = socket.envelope().await;
        assert_eq!(seq, number);
        socket.answer(id, 200).await;
        assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    }
    let (page, answer) =
        tokio::join!(poller.fetch("afterSeq=3&timeout=20"), async { sender.send(&bob, "for a poll").await });
    answer.assert_status(200);
    assert_eq!(page["messages"][0]["seq"], 4);
    assert_eq!(socket.envelope().await.1, 4);
    let second = connected_after(&bob.at(&pods.here), 4).await;
    assert_eq!(socket.closed().await, 4409, "claims are in the database");

    broker.restart().await.unwrap();
    let mut second = second;
    let mut prompt = 0;
    let healed = async {
        // By chance one may come promptly with the patrol, which is on its way now and then during an outage.
        for number in 5.. {
            let began = Instant::now();
            sender.at(&pods.there).send(&bob, "after the outage").await.assert_status(200);
            let (id, seq, _) = second.envelope().await;
            assert_eq!(seq, number);
            second.answer(id, 200).await;
            prompt = if began.elapsed() < PROMPTLY / 2 { prompt + 1 } else { 0 };
            if prompt == 5 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healed).await.expect("prompt deliveries");
    pods.stop().await;
}

/// Connects, and reads the backlog up to `seq` without answering it.
async fn connected_after(device: &Device, seq: i64) -> Socket {
    let mut socket = device.connect().await;
    assert_eq!(socket.envelope().await.1, seq);
    socket
}
