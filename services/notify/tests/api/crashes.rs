//! The program, killed while it publishes and delivers, and clients whose connections drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::wait::wait_until;
use tokio::time::{Instant, sleep};

use crate::harness::{Backend, Seen, Socket, TestApp};

/// Publishes numbers until it is told to stop, again and again under the same key while there is no answer; gives the
/// last one that was answered.
async fn publish_until(backend: Backend, channel: &'static str, stop: Arc<AtomicBool>) -> i64 {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let body = json!({"channel": channel, "data": number});
        loop {
            let request = backend.client.request(reqwest::Method::POST, "/v1/notify/messages").json(&body);
            let answer = request.header("idempotency-key", format!("key-{number}")).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    number
}

/// A client that comes back whenever its connection drops, with the last offset that it has seen.
struct Client {
    url: String,
    token: Value,
    seen: i64,
    epoch: Value,
    /// How often it was told that something is missing.
    lost: usize,
}

impl Client {
    fn new(url: &str, token: &Value) -> Self {
        Self { url: url.to_owned(), token: token.clone(), seen: 0, epoch: Value::Null, lost: 0 }
    }

    /// Stays connected for a while; what comes must be what is next.
    async fn stay(&mut self, until: Instant) {
        let Ok(connecting) = tokio::time::timeout_at(until, Socket::try_connect(&self.url)).await else {
            return;
        };
        let Some(mut socket) = connecting else {
            sleep(Duration::from_millis(20)).await;
            return;
        };
        socket.ask(&json!({"token": self.token, "offset": self.seen, "epoch": self.epoch})).await;
        while let Ok(seen) = tokio::time::timeout_at(until, socket.next()).await {
            let Seen::Frame(frame) = seen else { return };
            match frame["type"].as_str().unwrap() {
                "subscribed" => {
                    self.epoch = frame["epoch"].clone();
                    if frame["recovered"] == false {
                        self.lost += 1;
                        self.seen = frame["offset"].as_i64().unwrap();
                    }
                }
                "message" => {
                    let offset = frame["offset"].as_i64().unwrap();
                    assert_eq!(offset, self.seen + 1, "in order and once");
                    assert_eq!(frame["data"], offset, "what was published as this number");
                    self.seen = offset;
                }
                other => panic!("{other}: {frame}"),
            }
        }
        socket.cut();
    }
}

testkit::on_both! {
    async fn an_answer_that_came_before_the_process_was_killed_is_kept(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut program = app.program(&test, &[]).await;
        let backend = Backend::new(&program.url);
        let token = json!(backend.channel_token("a").await);
        let mut socket = Socket::connect(&program.url).await;
        socket.subscribe(&json!({"token": token})).await;

        for round in 1..=5 {
            let offset = backend.publish("a", &json!(round)).await;
            program.kill();
            assert_eq!(offset, round);
            program.restart().await.unwrap();
        }

        let mut socket = Socket::connect(&program.url).await;
        let joined = socket.subscribe(&json!({"token": token, "offset": 0})).await;
        assert_eq!(joined["recovered"], true);
        for round in 1..=5 {
            assert_eq!(socket.message().await, (round, json!(round)));
        }
        app.host.stop().await;
    }

    async fn drops_and_kills_lose_and_repeat_nothing_and_an_overflow_is_told(test: TestDb) {
        let app = TestApp::start(&test).await;
        // Long enough for a client that is away for a second, too short for one that is away all the time.
        let more = [("notify.history_size", "1500"), ("notify.page", "50")];
        let mut program = app.program(&test, &more).await;
        let backend = Backend::new(&program.url);
        let token = backend.issue(&json!({"channel": "a"})).await["token"].clone();
        let stop = Arc::new(AtomicBool::new(false));
        let publishing = tokio::spawn(publish_until(backend.clone(), "a", Arc::clone(&stop)));
        let least = Arc::new(AtomicI64::new(0));
        let end = Arc::new(AtomicI64::new(i64::MAX));

        let mut late = Client::new(&program.url, &token);
        let clients: Vec<_> = (0..6_u64)
            .map(|number| {
                let mut client = Client::new(&program.url, &token);
                let (least, end) = (Arc::clone(&least), Arc::clone(&end));
                tokio::spawn(async move {
                    while client.seen < end.load(Ordering::SeqCst) {
                        client.stay(Instant::now() + Duration::from_millis(150 + 70 * number)).await;
                        least.fetch_max(client.seen, Ordering::SeqCst);
                    }
                    client
                })
            })
            .collect();
        for _ in 0..4 {
            let before = least.load(Ordering::SeqCst);
            wait_until("some to come", || async { least.load(Ordering::SeqCst) > before + 20 }).await;
            program.kill();
            sleep(Duration::from_millis(100)).await;
            program.restart().await.unwrap();
        }
        wait_until("an overflow", || async { least.load(Ordering::SeqCst) > 1700 }).await;
        stop.store(true, Ordering::SeqCst);
        let last = publishing.await.unwrap();
        end.store(last, Ordering::SeqCst);

        for client in clients {
            let client = tokio::time::timeout(Duration::from_secs(30), client).await.unwrap().unwrap();
            assert_eq!((client.seen, client.lost), (last, 0));
        }
        // It was told, at its first connection, of what it cannot have any more.
        late.stay(Instant::now() + Duration::from_millis(500)).await;
        assert_eq!((late.seen, late.lost), (last, 1));
        let log = program.log();
        assert!(!log.contains(token.as_str().unwrap()) && !log.contains(crate::harness::KEY));
        app.host.stop().await;
    }

    async fn two_thousand_clients_of_a_process_that_was_killed_are_back_within_seconds(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut program = app.program(&test, &[]).await;
        let backend = Backend::new(&program.url);
        let token = json!(backend.channel_token("crowd").await);
        let own = json!(backend.channel_token("own").await);
        let url = program.url.clone();
        let token_of = |number: usize| if number.is_multiple_of(2) { &token } else { &own };
        let enter = |number: usize, offset: Option<i64>| {
            let (url, token) = (url.clone(), token_of(number).clone());
            async move {
                let mut socket = Socket::connect(&url).await;
                socket.subscribe(&json!({"token": token, "offset": offset})).await;
                socket
            }
        };
        let crowd = join_all((0..2000).map(|number| enter(number, None))).await;
        program.kill();
        drop(crowd);
        program.restart().await.unwrap();
        for channel in ["crowd", "own"] {
            for number in 1..=3 {
                backend.publish(channel, &json!(number)).await;
            }
        }

        let back = |number: usize| {
            let entering = enter(number, Some(0));
            async move { entering.await.offsets(3).await }
        };
        // Each of them has to be in, and to get each notification, within the deadline of the harness.
        let seen = join_all((0..2000).map(back)).await;

        assert!(seen.iter().all(|offsets| *offsets == [1, 2, 3]));
        app.host.stop().await;
    }
}
