//! Two processes on one PostgreSQL, with RabbitMQ between them.

use std::time::Duration;

use common::models::{Clock, SystemClock};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use testkit::database::TestDb;
use testkit::rabbitmq::{RabbitMq, vhost};
use tokio::time::timeout;

use crate::harness::{Device, REGISTRATION, Seen, Socket, TestApp, copy, message};

/// The path of envelopes that are kept nowhere.
const ONLINE: &str = "/v1/message/online";

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
    // Without a patrol while the test waits, what happens in the other process does so by way of the broker.
    let pods = Pods::start(&test, vhost.url(), &[("mailbox.recheck_away", "1h")]).await;
    let (alice, bob) = (pods.here.device().await, pods.here.device().await);
    let bob_there = bob.at(&pods.there);
    let mut first = connected(&bob).await;

    alice.at(&pods.there).send(&bob, "from the other process").await.assert_status(200);
    let (id, seq, _) = first.envelope().await;
    first.answer(id, 500).await;
    let mut second = bob_there.connect().await;

    assert_eq!(seq, 1);
    assert_eq!(first.closed().await, 4409);
    let (id, seq, _) = second.envelope().await;
    assert_eq!(seq, 1);
    second.answer(id, 200).await;
    assert_eq!(second.queue_empty().await, 1);

    let now = SystemClock.now().as_i64();
    let carol = pods.here.device().await;
    let dave = pods.here.device().await;
    let (third, fourth) = (connected(&carol.at(&pods.there)).await, connected(&dave.at(&pods.there)).await);
    let event =
        json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
    pods.here.nudge(&event).await;
    pods.here.nudge(&json!({"type": "account.deleted", "accountId": carol.account, "at": now})).await;
    pods.here.close(&dave, dave.generation).await.assert_status(204);
    for socket in [second, third, fourth] {
        assert_eq!(socket.closed().await, 4401);
    }
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

        let mut ends: FuturesUnordered<_> = [a, b, c].into_iter().map(end_of).collect();
        assert_eq!([ends.next().await, ends.next().await], [Some(Some(4409)); 2]);
        alice.send(&bob, "y").await.assert_status(200);
        assert_eq!(ends.next().await, Some(None), "the third is there for the next envelope");
    }
    pods.stop().await;
}

/// The code by which a connection is closed before the second envelope comes; `None`: it comes.
async fn end_of(mut socket: Socket) -> Option<u16> {
    loop {
        match socket.next().await {
            Seen::Closed(code) => return Some(code),
            Seen::Frame(frame) if frame["body"]["seq"] == 2 => return None,
            Seen::Frame(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_goes_on_while_the_broker_is_away_and_heals_when_it_is_back() {
    let (test, mut broker) = (TestDb::postgres().await, RabbitMq::start().await.unwrap());
    let pods = Pods::start(&test, &broker.url(), &[("mailbox.recheck_away", "2s")]).await;
    let (alice, bob) = (pods.here.device().await, pods.here.device().await);
    let (sender, poller) = (alice.at(&pods.here), bob.at(&pods.there));
    let mut socket = connected(&poller).await;
    broker.kill();

    // By the patrol of an outage: the ordinary one comes minutes after the test has given up.
    for number in 1..=3 {
        sender.send(&bob, &format!("during the outage {number}")).await.assert_status(200);
        let (id, seq, _) = socket.envelope().await;
        assert_eq!(seq, number);
        socket.answer(id, 200).await;
    }
    let (page, answer) =
        tokio::join!(poller.fetch("afterSeq=3&timeout=20"), async { sender.send(&bob, "for a poll").await });
    answer.assert_status(200);
    assert_eq!(page["messages"][0]["seq"], 4);
    assert_eq!(socket.envelope().await.1, 4);
    let mut second = connected_after(&bob.at(&pods.here), 4).await;
    assert_eq!(socket.closed().await, 4409, "claims are in the database");

    broker.restart().await.unwrap();
    let sender = alice.at(&pods.there);
    let mut typing = message(&[copy(bob.id, REGISTRATION, b"is typing")]);
    typing["online"] = json!(true);
    let healed = async {
        // What is kept nowhere comes by way of the broker, or not at all.
        loop {
            sender.client.put(&bob.path(), &typing).await.assert_status(200);
            if let Ok(seen) = timeout(Duration::from_millis(200), second.next()).await {
                return seen;
            }
        }
    };
    let seen = timeout(Duration::from_secs(60), healed).await.expect("something by way of the broker");
    assert!(matches!(&seen, Seen::Frame(frame) if frame["path"] == ONLINE), "{seen:?}");
    // Both processes know by now that it is back, and have no patrol for minutes.
    for number in 5..10 {
        sender.send(&bob, "after the outage").await.assert_status(200);
        let id = stored(&mut second, number).await;
        second.answer(id, 200).await;
    }
    pods.stop().await;
}

/// Reads on to the envelope with this `seq`, past what is kept nowhere; gives the number of its request.
async fn stored(socket: &mut Socket, seq: i64) -> u64 {
    loop {
        match socket.next().await {
            Seen::Frame(frame) if frame["path"] == ONLINE => {}
            Seen::Frame(frame) if frame["body"]["seq"] == seq => return frame["id"].as_u64().unwrap(),
            other => panic!("instead of {seq}: {other:?}"),
        }
    }
}

/// Connects, and reads the backlog up to `seq` without answering it.
async fn connected_after(device: &Device, seq: i64) -> Socket {
    let mut socket = device.connect().await;
    assert_eq!(socket.envelope().await.1, seq);
    socket
}
