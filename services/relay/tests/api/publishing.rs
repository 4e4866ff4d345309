//! SMS on their way to the publisher: by RabbitMQ and by HTTP, through refusals and outages.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use openssl::symm::{Cipher, decrypt};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::host::ADMIN_TOKEN;
use testkit::rabbitmq::{Vhost, vhost};
use testkit::wait::{wait_for, wait_until};

use crate::harness::{KEYS, Others, SENDER, TestApp, mail};

const QUEUE: &str = "default-smswithoutborders-queue";

/// A reader of queues.
pub(crate) struct Reader {
    channel: Channel,
    _connection: Connection,
}

impl Reader {
    pub(crate) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        Self { channel: connection.create_channel().await.unwrap(), _connection: connection }
    }

    /// Takes the next message of a queue that is there. While a queue is being declared the broker already
    /// knows its name and answers with an end of the connection: wait for [`ready`] first.
    pub(crate) async fn take(&self, queue: &str) -> lapin::message::BasicGetMessage {
        let get = || async {
            let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: false }).await;
            got.unwrap()
        };
        wait_for(&format!("a message in {queue}"), get).await
    }
}

async fn with_broker(test: &testkit::database::TestDb, more: &[(&str, &str)]) -> (TestApp, Vhost) {
    let vhost = vhost().await;
    let more = [&[("relay.amqp_url", vhost.url())], more].concat();
    let app = TestApp::start_with(test, &more).await;
    (app, vhost)
}

testkit::on_both! {
    async fn a_message_reaches_the_queue_persistent_and_with_its_id(test: TestDb) {
        let (app, vhost) = with_broker(&test, &[]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("by queue")).await.assert_status(200);
        wait_until("the message", || async { ready(&vhost, QUEUE).await == 1 }).await;

        let message = Reader::connect(vhost.url()).await.take(QUEUE).await;

        let properties = &message.properties;
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(properties.message_id().as_ref().unwrap().as_str().len(), 64);
        assert_eq!(message.routing_key.as_str(), "default-smswithoutborders-routing-key");
        assert_eq!(message.exchange.as_str(), "default-smswithoutborders-exchange");
        let body: Value = serde_json::from_slice(&message.data).unwrap();
        assert_eq!(body, json!({"MSISDN": SENDER, "platform": "gmail", "message": "g:a@b.c:::Hi:by queue"}));
        app.host.stop().await;
    }

    async fn a_message_has_the_trace_of_the_request_that_brought_it_also_after_a_restart(test: TestDb) {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let port = testkit::process::ports::free();
        let away = format!("http://127.0.0.1:{port}/publish");
        let app = TestApp::start_with(&test, &[("relay.publisher", &*away)]).await;
        let client = app.client(&json!({})).await;
        let http = &client.http;
        let call = http.request(Method::POST, "/sms/platform/gateway-client").basic_auth(&client.id, Some(&client.secret));
        let call = call.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        http.send(call.json(&json!({"text": mail("traced"), "MSISDN": SENDER}))).await.assert_status(200);
        app.host.stop().await;

        let (app, vhost) = with_broker(&test, &[]).await;
        wait_until("the message", || async { ready(&vhost, QUEUE).await == 1 }).await;

        let message = Reader::connect(vhost.url()).await.take(QUEUE).await;
        let trace = bus::trace_of(&message.properties).unwrap();
        assert_eq!(trace.trace_id(), TRACE);
        assert!(!trace.to_string().contains("00f067aa0ba902b7"), "a span of its own");
        app.host.stop().await;
    }

    async fn a_message_is_encrypted_under_the_publishers_key(test: TestDb) {
        let (app, vhost) = with_broker(&test, &[("relay.publisher_key", KEYS[1])]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("secret")).await.assert_status(200);
        wait_until("the message", || async { ready(&vhost, QUEUE).await == 1 }).await;

        let message = Reader::connect(vhost.url()).await.take(QUEUE).await;

        let octets = STANDARD.decode(&message.data).unwrap();
        let (iv, sealed) = octets.split_at(16);
        let plain = decrypt(Cipher::aes_256_cbc(), KEYS[1].as_bytes(), Some(iv), sealed).unwrap();
        let body: Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(body["message"], "g:a@b.c:::Hi:secret");
        app.host.stop().await;
    }

    async fn a_message_that_comes_back_too_often_goes_to_the_dead_letters(test: TestDb) {
        let (app, vhost) = with_broker(&test, &[("relay.delivery_limit", "2")]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("poison")).await.assert_status(200);
        wait_until("the message", || async { ready(&vhost, QUEUE).await == 1 }).await;
        let reader = Reader::connect(vhost.url()).await;

        for _ in 0..3 {
            let message = reader.take(QUEUE).await;
            message.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
        }

        let dead = reader.take(&format!("{QUEUE}-dead")).await;
        assert!(String::from_utf8_lossy(&dead.data).contains("poison"));
        app.host.stop().await;
    }

    async fn a_queue_that_was_removed_is_made_again_for_the_next_message(test: TestDb) {
        let (app, vhost) = with_broker(&test, &[]).await;
        let client = app.client(&json!({})).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let gone = reqwest::Client::new().delete(vhost.api(&format!("queues/{}/{QUEUE}", vhost.name())));
        assert!(gone.send().await.unwrap().status().is_success());

        client.forward(&mail("kept")).await.assert_status(200);

        wait_until("the message", || async { ready(&vhost, QUEUE).await == 1 }).await;
        assert_eq!(metric(&app, "publishes_total{outcome=\"refused\"").await, 0);
        app.host.stop().await;
    }

    async fn what_the_publisher_has_is_not_handed_over_again_while_it_cannot_be_marked(test: TestDb) {
        let others = Others::start();
        let app = TestApp::start_with(&test, &[("relay.publisher", &*others.publisher())]).await;
        let client = app.client(&json!({})).await;
        others.refuse(true);
        client.forward(&mail("once")).await.assert_status(200);
        wait_until("a refusal", || async { metric(&app, "publishes_total{outcome=\"refused\"").await > 0 }).await;
        // Rows can be read as before, and none can be marked: a full disk would do the same.
        rename(&app, "ended_at", "ended_at_gone").await;
        others.refuse(false);
        others.has(1).await;
        // Several looks at what is due, if there were any.
        tokio::time::sleep(Duration::from_millis(1200)).await;

        rename(&app, "ended_at_gone", "ended_at").await;
        client.forward(&mail("after")).await.assert_status(200);

        let bodies = others.has(2).await;
        let texts: Vec<&Value> = bodies.iter().map(|body| &body["message"]).collect();
        assert_eq!(texts, ["g:a@b.c:::Hi:once", "g:a@b.c:::Hi:after"]);
        app.host.stop().await;
    }

    async fn the_connection_is_made_again_after_the_broker_closed_it(test: TestDb) {
        let (app, vhost) = with_broker(&test, &[]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("one")).await.assert_status(200);
        wait_until("the first", || async { ready(&vhost, QUEUE).await == 1 }).await;

        wait_until("a connection to close", || async { vhost.close_connections().await.unwrap() > 0 }).await;
        client.forward(&mail("two")).await.assert_status(200);

        wait_until("the second", || async { ready(&vhost, QUEUE).await == 2 }).await;
        app.host.stop().await;
    }

    async fn what_a_publisher_refuses_is_tried_again_and_delays_no_other(test: TestDb) {
        let others = Others::start();
        let app = TestApp::start_with(&test, &[("relay.publisher", &*others.publisher())]).await;
        let client = app.client(&json!({})).await;
        others.refuse(true);
        client.forward(&mail("first")).await.assert_status(200);
        wait_until("a refusal", || async { metric(&app, "publishes_total{outcome=\"refused\"").await > 2 }).await;

        others.refuse(false);
        client.forward(&mail("second")).await.assert_status(200);

        let mut texts: Vec<String> = others.has(2).await.iter().map(|body| body["message"].to_string()).collect();
        texts.sort();
        assert_eq!(texts, ["\"g:a@b.c:::Hi:first\"", "\"g:a@b.c:::Hi:second\""]);
        app.host.stop().await;
    }

    async fn an_sms_that_waited_too_long_is_kept_counted_and_may_come_again(test: TestDb) {
        let others = Others::start();
        let clock = FakeClock::default();
        let more = [("relay.publisher", &*others.publisher()), ("relay.publish_max_age", "1h")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let client = app.client(&json!({})).await;
        others.refuse(true);
        client.forward(&mail("old")).await.assert_status(200);
        wait_until("a refusal", || async { metric(&app, "publishes_total{outcome=\"refused\"").await > 0 }).await;

        clock.advance(Duration::from_secs(3600));

        wait_until("its end", || async { metric(&app, "incoming_dead").await == 1 }).await;
        others.refuse(false);
        client.forward(&mail("old")).await.assert_status(200);
        others.has(1).await;
        wait_until("its life", || async { metric(&app, "incoming_dead").await == 0 }).await;
        app.host.stop().await;
    }

    async fn what_was_given_up_is_tried_again_by_an_operator_or_goes_in_the_end(test: TestDb) {
        let others = Others::start();
        let clock = FakeClock::default();
        let more = [("relay.publisher", &*others.publisher()), ("relay.publish_max_age", "1h"), ("relay.dead_retention", "1d")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let client = app.client(&json!({})).await;
        let dead = async |count| wait_until("its end", || async { metric(&app, "incoming_dead").await == count }).await;
        others.refuse(true);
        client.forward(&mail("old")).await.assert_status(200);
        clock.advance(Duration::from_secs(3600));
        dead(1).await;
        let path = "/internal/relay/v1/incoming/revive";
        app.host.internal.with_token("no operator").post(path, &json!({})).await.assert_status(401);

        others.refuse(false);
        let operator = app.host.internal.with_token(ADMIN_TOKEN);
        let revived = operator.post(path, &json!({})).await.expect(200).value();

        assert_eq!(revived, json!({"revived": 1}));
        assert_eq!(others.has(1).await[0]["message"], "g:a@b.c:::Hi:old");
        dead(0).await;
        others.refuse(true);
        client.forward(&mail("older")).await.assert_status(200);
        clock.advance(Duration::from_secs(3600));
        dead(1).await;
        clock.advance(Duration::from_secs(24 * 3600 + 1));
        dead(0).await;
        others.refuse(false);
        assert_eq!(operator.post(path, &json!({})).await.expect(200).value(), json!({"revived": 0}));
        app.host.stop().await;
    }

    async fn sms_wait_while_the_publisher_is_away(test: TestDb) {
        let port = testkit::process::ports::free();
        let url = format!("http://127.0.0.1:{port}/publish");
        let app = TestApp::start_with(&test, &[("relay.publisher", &*url), ("relay.publish_longest_pause", "50ms")]).await;
        let client = app.client(&json!({})).await;
        client.forward(&mail("patient")).await.assert_status(200);
        wait_until("an attempt", || async { metric(&app, "publishes_total{outcome=\"away\"").await > 1 }).await;
        app.host.stop().await;

        let others = Others::start();
        let app = TestApp::start_with(&test, &[("relay.publisher", &*others.publisher())]).await;

        assert_eq!(others.has(1).await[0]["message"], "g:a@b.c:::Hi:patient");
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_publish_each_sms_once_and_one_takes_over() {
    let test = testkit::database::TestDb::postgres().await;
    let others = Others::start();
    let more = [("relay.publisher", &*others.publisher())];
    let (one, two) = (TestApp::start_with(&test, &more).await, TestApp::start_with(&test, &more).await);
    let client = one.client(&json!({})).await;
    for number in 0..20 {
        client.forward(&mail(&number.to_string())).await.assert_status(200);
    }
    others.has(20).await;

    one.host.stop().await;
    let client = two.client(&json!({})).await;
    client.forward(&mail("after")).await.assert_status(200);

    others.has(21).await;
    two.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_somebody_else_has_declared_is_taken_as_it_is() {
    let test = testkit::database::TestDb::sqlite().await;
    let vhost = vhost().await;
    let reader = Reader::connect(vhost.url()).await;
    let durable = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
    reader.channel.queue_declare(QUEUE.into(), durable, Default::default()).await.unwrap();
    let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
    let client = app.client(&json!({})).await;

    client.forward(&mail("classic")).await.assert_status(200);

    assert!(String::from_utf8_lossy(&reader.take(QUEUE).await.data).contains("classic"));
    app.host.stop().await;
}

/// Renames a column of the table of SMS.
async fn rename(app: &TestApp, from: &str, to: &str) {
    use diesel::prelude::*;
    let sql = format!("ALTER TABLE incoming RENAME COLUMN {from} TO {to}");
    let rows = app.host.database("relay");
    rows.write(move |conn| Ok::<_, db::DbError>(diesel::sql_query(sql).execute(conn)?)).await.unwrap();
}

/// Messages that wait in a queue; 0 while there is none, and while a quorum queue takes over 250 ms to answer: wait for what
/// is expected.
pub(crate) async fn ready(vhost: &Vhost, queue: &str) -> u32 {
    let connection = Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let passive = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
    let found = channel.queue_declare(queue.into(), passive, Default::default()).await;
    let count = found.map_or(0, |queue| queue.message_count());
    let _ = connection.close(200, "done".into()).await;
    count
}

/// A series of relay, by how its line begins behind the prefix.
pub(crate) async fn metric(app: &TestApp, name: &str) -> u64 {
    let page = app.host.internal.get("/metrics").await.text();
    let line = page.lines().find(|line| line.starts_with(&format!("sealpost_relay_{name}")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}
