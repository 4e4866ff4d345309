//! Relay and the broker, killed between the answer to an SMS and the publisher.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::host::ADMIN_TOKEN;
use testkit::program::Program;
use testkit::rabbitmq::{RabbitMq, Vhost, vhost};
use testkit::wait::wait_until;

use crate::harness::{Gateway, KEYS, Others, SENDER, mail, program};
use crate::publishing::{Reader, ready};

const QUEUE: &str = "default-smswithoutborders-queue";

/// Takes messages until all of these texts were seen; each may come more than once.
async fn sees(vhost: &Vhost, texts: &[String]) {
    // A count tells that the queue is declared, and that it has a leader again.
    wait_until("messages", || async { ready(vhost, QUEUE).await > 0 }).await;
    let reader = Reader::connect(vhost.url()).await;
    let mut missing: BTreeSet<String> = texts.iter().map(|text| format!("g:a@b.c:::Hi:{text}")).collect();
    while !missing.is_empty() {
        let message = reader.take(QUEUE).await;
        let body: Value = serde_json::from_slice(&message.data).unwrap();
        missing.remove(body["message"].as_str().unwrap());
        message.ack(Default::default()).await.unwrap();
    }
}

testkit::on_both! {
    async fn an_sms_that_was_answered_survives_relay_and_the_broker(test: TestDb) {
        let others = Others::start();
        let mut broker = RabbitMq::start().await.unwrap();
        let mut relay = program(&test, &others, &[("relay.amqp_url", &*broker.url())]);
        relay.restart().await.unwrap();
        let operator = relay.http.with_token(ADMIN_TOKEN);
        let client = Gateway::register(&operator, &relay.http, &json!({})).await;
        let text = |round: usize, number: usize| format!("{round}-{number}");
        let mut all = Vec::new();
        wait_until("relay to be connected", || async {
            relay.internal.get("/metrics").await.text().contains("broker_connected{service=\"relay\"} 1")
        })
        .await;
        broker.settle().await;

        // The broker is away: what is answered is in the table alone, and relay dies.
        broker.kill();
        for number in 0..5 {
            client.forward(&mail(&text(0, number))).await.assert_status(200);
            all.push(text(0, number));
        }
        relay.kill();
        broker.restart().await.unwrap();
        relay.restart().await.unwrap();
        // Both are there, and die while SMS come in.
        for number in 0..20 {
            client.forward(&mail(&text(1, number))).await.assert_status(200);
            all.push(text(1, number));
        }
        relay.kill();
        relay.restart().await.unwrap();
        for number in 0..20 {
            client.forward(&mail(&text(2, number))).await.assert_status(200);
            all.push(text(2, number));
        }
        broker.kill();
        broker.restart().await.unwrap();

        sees(&broker.root(), &all).await;
        let log = relay.log();
        for secret in [SENDER, "67712345", "a@b.c", &client.secret, &mail("0-0")[..40], KEYS[0]] {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_the_one_that_publishes_is_killed_and_the_other_goes_on() {
    let (test, vhost, others) = (TestDb::postgres().await, vhost().await, Others::start());
    let mut processes = [(); 2].map(|()| program(&test, &others, &[("relay.amqp_url", vhost.url())]));
    // One after the other, so that the first has the tables made, and is the one that publishes.
    for process in &mut processes {
        process.restart().await.unwrap();
    }
    let client =
        Gateway::register(&processes[0].http.with_token(ADMIN_TOKEN), &processes[0].http, &json!({})).await;
    let at = |process: &Program| Gateway { http: process.http.clone(), ..client.clone() };
    let mut all = Vec::new();
    for round in 0..3 {
        for number in 0..10 {
            let text = format!("{round}-{number}");
            at(&processes[number % 2]).forward(&mail(&text)).await.assert_status(200);
            all.push(text);
        }
        // What it was answered for is on its way at best.
        processes[round % 2].kill();
        let text = format!("{round}-after");
        at(&processes[1 - round % 2]).forward(&mail(&text)).await.assert_status(200);
        all.push(text);
        sees(&vhost, &all[round * 11..]).await;
        processes[round % 2].restart().await.unwrap();
    }
}
