//! Two processes on one PostgreSQL, with RabbitMQ between them.

use std::time::Duration;

use serde_json::json;
use testkit::database::{TestDb, administer};
use testkit::rabbitmq::{RabbitMq, vhost};
use testkit::wait::wait_until;
use tokio::time::timeout;

use crate::harness::{Seen, Socket, TestApp};

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

    /// Waits until the bus carries what is published here, in channel `a`, to a client there: what is volatile goes no
    /// other way. Gives the last number that was published: behind it nothing more comes to anybody.
    async fn wait_carried(&self, far: &mut Socket) -> i64 {
        let mut last = 0;
        let carried = async {
            loop {
                last += 1;
                let volatile = json!({"channel": "a", "data": last, "volatile": true});
                self.here.backend.client.post("/v1/notify/messages", &volatile).await.assert_status(200);
                if let Ok((_, heard)) = timeout(Duration::from_millis(200), far.message()).await {
                    break heard;
                }
            }
        };
        let mut heard = timeout(Duration::from_secs(60), carried).await.expect("a bus that carries");
        while heard != last {
            heard = far.message().await.1;
        }
        last
    }

    async fn stop(self) {
        self.there.host.stop().await;
        self.here.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_reach_clients_of_all_processes_once_and_in_order() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let pods = Pods::start(&test, vhost.url(), &[]).await;
    let (mut near, mut far) = (pods.here.member("a").await, pods.there.member("a").await);
    let carried = pods.wait_carried(&mut far).await;
    while near.message().await.1 != carried {}

    let publish = |number: i64| {
        let backend = if number % 2 == 0 { &pods.here.backend } else { &pods.there.backend };
        async move { backend.publish("a", &json!(number)).await }
    };
    futures_util::future::join_all((0..300).map(publish)).await;
    let large = "x".repeat(50_000);
    pods.here.backend.publish("a", &json!(large)).await;
    let volatile = json!({"channel": "a", "data": "typing", "volatile": true});
    pods.here.backend.client.post("/v1/notify/messages", &volatile).await.assert_status(200);

    for socket in [&mut near, &mut far] {
        let mut seen = Vec::new();
        for _ in 0..302 {
            seen.push(socket.message().await);
        }
        // What has no place in the order may overtake what has.
        let volatile: Vec<_> = seen.extract_if(.., |(offset, _)| *offset == 0).collect();
        assert_eq!(volatile, [(0, json!("typing"))]);
        assert!(seen.iter().map(|(offset, _)| *offset).eq(1..=301));
        assert_eq!(seen[300].1, large);
    }
    pods.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_revoked_in_all_processes() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    // Without the bus, nobody would look.
    let more = [("notify.presence_gather", "10ms"), ("notify.recheck", "1h"), ("notify.recheck_away", "1h")];
    let pods = Pods::start(&test, vhost.url(), &more).await;
    let token = pods.here.backend.issue(&json!({"channel": "a", "member": "alice"})).await;
    let mut sockets = Vec::new();
    for app in [&pods.here, &pods.there] {
        let mut socket = app.connect().await;
        socket.subscribe(&json!({"token": token["token"]})).await;
        sockets.push(socket);
    }
    let connections = async || {
        let answer = pods.there.backend.client.get("/v1/notify/presence?channel=a").await.expect(200).value();
        answer["members"][0]["connections"].as_i64()
    };
    wait_until("presence at both", || async { connections().await == Some(2) }).await;

    let path = format!("/v1/notify/tokens/{}?channel=a", token["id"].as_str().unwrap());
    pods.there.backend.client.delete(&path).await.assert_status(204);

    for mut socket in sockets {
        assert_eq!(socket.frame("ended").await["reason"], "revoked");
        assert_eq!(socket.closed().await.0, 4401);
    }
    wait_until("nobody to be present", || async { connections().await.is_none() }).await;
    pods.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_broker_loses_nothing() {
    let (test, mut broker) = (TestDb::postgres().await, RabbitMq::start().await.unwrap());
    let pods = Pods::start(&test, &broker.url(), &[("notify.recheck_away", "1s")]).await;
    let token = pods.here.backend.issue(&json!({"channel": "a"})).await;
    let mut far = pods.there.connect().await;
    far.subscribe(&json!({"token": token["token"]})).await;
    pods.here.backend.publish("a", &json!(1)).await;
    assert_eq!(far.message().await.0, 1);
    broker.kill();

    for number in 2..=20 {
        pods.here.backend.publish("a", &json!(number)).await;
    }
    let mut near = pods.here.connect().await;
    near.subscribe(&json!({"token": token["token"], "offset": 12})).await;
    assert!(near.offsets(8).await.into_iter().eq(13..=20));
    assert!(far.offsets(19).await.into_iter().eq(2..=20));
    // A client may have seen here what the other process has not heard of yet.
    pods.here.backend.publish("a", &json!(21)).await;
    assert_eq!(near.message().await.0, 21);
    let mut moved = pods.there.connect().await;
    let joined = moved.subscribe(&json!({"token": token["token"], "offset": 21})).await;
    assert_eq!((&joined["recovered"], &joined["offset"]), (&json!(true), &json!(21)));
    moved.hears_nothing().await;

    broker.restart().await.unwrap();
    assert_eq!(far.message().await.0, 21);
    let carried = pods.wait_carried(&mut far).await;
    while moved.message().await.1 != carried {}
    // While the broker is there, a patrol would bring these in five minutes.
    for _ in 0..5 {
        let offset = pods.here.backend.publish("a", &json!("after the outage")).await;
        assert_eq!(far.message().await.0, offset);
        assert_eq!(moved.message().await.0, offset);
    }
    // And a revocation that nobody was told of is found by the patrol.
    broker.kill();
    pods.here.backend.client.delete("/v1/notify/tokens?channel=a").await.assert_status(204);
    for socket in [far, moved] {
        let mut socket = socket;
        let ended = loop {
            if let Seen::Frame(frame) = socket.next().await
                && frame["type"] == "ended"
            {
                break frame;
            }
        };
        assert_eq!(ended["reason"], "revoked");
    }
    pods.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_the_bus_may_have_dropped_is_looked_for_at_once() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let more = [("live.url", vhost.url()), ("notify.recheck", "1h"), ("notify.recheck_away", "1h")];
    let app = TestApp::start_with(&test, &more).await;
    let mut socket = app.member("a").await;

    // Nobody is told of it.
    administer(&test.settings().url, "DELETE FROM notify.tokens").unwrap();
    wait_until("the connection to the broker to be cut", || async {
        vhost.close_connections().await.is_ok_and(|count| count > 0)
    })
    .await;

    assert_eq!(socket.frame("ended").await["reason"], "revoked");
    app.host.stop().await;
}
