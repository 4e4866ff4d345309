//! SMS for modems (`POST /sms`, §7.3 of the interface).

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::BasicNackOptions;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::harness::{Gateway, TestApp};
use crate::publishing::{Reader, metric, ready};

/// Where SMS are kept that no modem takes.
const DEAD: &str = "DEKU_CLUSTER_SMS_DEAD";

fn sms(client: &Gateway, data: &Value) -> Value {
    json!({"auth_id": client.id, "data": data})
}

fn one(isp: &str, text: &str) -> Value {
    json!({"isp": isp, "number": "+237650000001", "text": text})
}

testkit::on_both! {
    async fn every_sms_is_in_the_queue_of_its_operator(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;

        let data = json!([one("MTN", "one"), one("orange", "two"), one("mtn", "three")]);
        let answer = client.post("/sms", &sms(&client, &data)).await.expect(200);
        let id = answer.header("x-request-id").unwrap();

        assert_eq!(answer.text(), "");
        let reader = Reader::connect(vhost.url()).await;
        for (operator, texts) in [("mtn", &["one", "three"][..]), ("orange", &["two"])] {
            let queue = format!("{}_OUTGOING_SMS_{operator}", client.id);
            wait_until("all of its SMS", || async { ready(&vhost, &queue).await as usize == texts.len() }).await;
            for text in texts {
                let message = reader.take(&queue).await;
                assert_eq!(*message.properties.delivery_mode(), Some(2));
                assert_eq!(bus::trace_of(&message.properties).unwrap().trace_id(), id, "one id for all");
                assert_eq!(message.routing_key.as_str(), format!("{}_OUTGOING_SMS.{operator}", client.id));
                let body: Value = serde_json::from_slice(&message.data).unwrap();
                assert_eq!(body, json!({"text": text, "number": "+237650000001"}));
            }
        }
        app.host.stop().await;
    }

    async fn an_sms_that_no_modem_serves_comes_back_and_the_others_are_queued(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let wrong = json!({"isp": "mtn", "number": "a number", "text": "x"});

        let data = json!([one("orange", "lost"), one("mtn", "kept"), wrong, one("mtn.#", "x")]);
        let problem = client.post("/sms", &sms(&client, &data)).await.expect(422).problem();

        assert_eq!(problem.slug(), "not-all-queued");
        let named: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(named, ["/data/0", "/data/2", "/data/3"]);
        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);
        wait_until("the one that is served", || async { ready(&vhost, &queue).await == 1 }).await;
        app.host.stop().await;
    }

    async fn a_queue_that_is_gone_is_made_again_by_the_next_sms(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);
        let gone = reqwest::Client::new().delete(vhost.api(&format!("queues/{}/{queue}", vhost.name())));
        assert!(gone.send().await.unwrap().status().is_success());

        client.post("/sms", &sms(&client, &json!([one("mtn", "kept")]))).await.assert_status(200);

        wait_until("the SMS", || async { ready(&vhost, &queue).await == 1 }).await;
        app.host.stop().await;
    }

    async fn queues_outlive_another_delivery_limit(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;
        client.post("/sms", &sms(&client, &json!([one("mtn", "one")]))).await.assert_status(200);
        app.host.stop().await;

        let more = [("relay.amqp_url", vhost.url()), ("relay.delivery_limit", "9")];
        let app = TestApp::start_with(&test, &more).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = client.at(&app);
        let data = json!([one("mtn", "two"), one("orange", "three")]);
        client.post("/sms", &sms(&client, &data)).await.assert_status(200);

        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);
        wait_until("both SMS", || async { ready(&vhost, &queue).await == 2 }).await;
        app.host.stop().await;
    }

    async fn what_waits_for_a_revoked_client_goes_to_the_dead_letters_and_its_queues_go(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;
        client.post("/sms", &sms(&client, &json!([one("mtn", "last words")]))).await.assert_status(200);

        app.operator.delete(&format!("/v1/gateway-clients/{}", client.id)).await.assert_status(204);

        let bound = vhost.bindings("DEKU_CLUSTER_SMS").await.unwrap();
        assert_eq!(bound, Vec::<String>::new());
        let kept = Reader::connect(vhost.url()).await.take(DEAD).await;
        assert!(String::from_utf8_lossy(&kept.data).contains("last words"));
        assert_eq!(*kept.properties.delivery_mode(), Some(2));
        assert_eq!(kept.routing_key.as_str(), format!("{}_OUTGOING_SMS.mtn", client.id));
        forgotten(&app).await;
        let queues = reqwest::get(vhost.api(&format!("queues/{}", vhost.name()))).await.unwrap();
        assert!(!queues.text().await.unwrap().contains(&client.id));
        app.host.stop().await;
    }

    async fn what_waits_for_a_revoked_client_keeps_its_order_beside_the_sweeps_of_two_instances(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        let other = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        for app in [&app, &other] {
            wait_until("the broker", || async { metric(app, "broker_connected").await == 1 }).await;
        }
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let texts: Vec<String> = (100..130).map(|number| format!("number {number}")).collect();
        let data: Vec<Value> = texts.iter().map(|text| one("mtn", text)).collect();
        client.post("/sms", &sms(&client, &json!(data))).await.assert_status(200);

        app.operator.delete(&format!("/v1/gateway-clients/{}", client.id)).await.assert_status(204);

        let reader = Reader::connect(vhost.url()).await;
        for text in texts {
            let kept = reader.take(DEAD).await;
            let kept = String::from_utf8_lossy(&kept.data);
            assert!(kept.contains(&text), "{kept} in place of {text}");
        }
        forgotten(&app).await;
        other.host.stop().await;
        app.host.stop().await;
    }

    async fn a_revoked_client_that_is_still_connected_reads_no_more(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let data = json!([one("mtn", "one"), one("mtn", "two"), one("mtn", "three")]);
        client.post("/sms", &sms(&client, &data)).await.assert_status(200);
        let connection = Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.basic_qos(1, Default::default()).await.unwrap();
        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);
        let mut modem =
            channel.basic_consume(queue.as_str().into(), "".into(), Default::default(), Default::default()).await.unwrap();
        let first = modem.next().await.unwrap().unwrap();

        app.operator.delete(&format!("/v1/gateway-clients/{}", client.id)).await.assert_status(204);

        let reader = Reader::connect(vhost.url()).await;
        for text in ["two", "three"] {
            let kept = reader.take(DEAD).await;
            assert!(String::from_utf8_lossy(&kept.data).contains(text));
            kept.ack(Default::default()).await.unwrap();
        }
        // What it has and does not acknowledge comes back, and is kept as well; then nothing holds the queue.
        first.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
        connection.close(200, "gone".into()).await.unwrap();
        assert!(String::from_utf8_lossy(&reader.take(DEAD).await.data).contains("one"));
        forgotten(&app).await;
        app.host.stop().await;
    }

    async fn a_broker_that_does_not_answer_costs_a_request_its_patience_once(test: TestDb) {
        let vhost = vhost().await;
        let between = Between::start(vhost.url()).await;
        let more = [("relay.amqp_url", &*between.url), ("relay.confirm_timeout", "2s")];
        let app = TestApp::start_with(&test, &more).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let data: Vec<Value> = (0..10).map(|number| one("mtn", &number.to_string())).collect();
        between.freeze();
        let began = Instant::now();

        let problem = client.post("/sms", &sms(&client, &json!(data))).await.expect(503).problem();

        assert_eq!(problem.errors.len(), 10);
        // Ten times its patience would be 20 s.
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        app.host.stop().await;
    }

    async fn what_is_no_request_of_the_caller_is_refused(test: TestDb) {
        let app = TestApp::start_with(&test, &[("relay.max_outgoing", "1")]).await;
        let (client, other) = (app.client(&json!({})).await, app.client(&json!({})).await);
        let data = json!([one("mtn", "x")]);

        for (body, status, text) in [
            (json!("x"), 400, "invalid json"),
            (json!({"data": data}), 400, "auth ID missing"),
            (json!({"auth_id": client.id}), 400, "data missing"),
            (sms(&client, &json!([])), 400, "data missing"),
            (sms(&client, &json!({"isp": "mtn"})), 400, "data missing"),
            (sms(&client, &json!([one("mtn", "x"), one("mtn", "y")])), 400, "data: 1 at most"),
            (sms(&other, &data), 403, "these are the credentials of another client"),
        ] {
            let answer = client.post("/sms", &body).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{body}");
        }
        app.host.http.post("/sms", &sms(&client, &data)).await.assert_status(401);
        app.host.stop().await;
    }

    async fn without_rabbitmq_or_while_it_is_away_nothing_is_taken(test: TestDb) {
        let port = testkit::process::ports::free();
        let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        for (more, detail, away) in [
            (&[][..], "this installation has no RabbitMQ, through which SMS reach modems (relay.amqp_url)", None),
            (&[("relay.amqp_url", &*url)], "what is not named in errors is queued", Some("0")),
        ] {
            let app = TestApp::start_with(&test, more).await;
            // An alert is on it: where there is no broker, none is away.
            let page = app.host.internal.get("/metrics").await.text();
            let series = page.lines().find_map(|line| line.strip_prefix("sealpost_relay_broker_connected{"));
            assert_eq!(series.and_then(|line| line.rsplit(' ').next()), away);
            let client = app.client(&json!({"operators": ["mtn"]})).await;

            let answer = client.post("/sms", &sms(&client, &json!([one("mtn", "x")]))).await.expect(503);

            assert!(answer.header("retry-after").is_some());
            let problem = answer.problem();
            assert_eq!((problem.slug(), problem.detail.as_deref()), ("unavailable", Some(detail)));
            app.host.stop().await;
        }
    }
}

/// Waits until nothing of any client is left in the tables.
async fn forgotten(app: &TestApp) {
    use diesel::prelude::*;
    let rows = app.host.database("relay");
    let left = || async {
        let count = |conn: &mut db::DbConn| {
            Ok::<_, db::DbError>(diesel::sql_query("SELECT client_id FROM gateway_clients").execute(conn)?)
        };
        rows.read(count).await.unwrap() == 0
    };
    wait_until("the last of it to be gone", left).await;
}

/// A way to the broker on which, from some moment on, nothing gets through, and nobody is told.
struct Between {
    url: String,
    frozen: watch::Sender<bool>,
}

impl Between {
    async fn start(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url: Url = broker.parse().unwrap();
        let target = ("127.0.0.1", url.port().unwrap());
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (frozen, state) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, state.clone()));
                tokio::spawn(carry(far_in, near_out, state.clone()));
            }
        });
        Self { url: url.into(), frozen }
    }

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut frozen: watch::Receiver<bool>) {
    let mut octets = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        // Until the test ends.
        let _ = frozen.wait_for(|frozen| !frozen).await;
        if to.write_all(&octets[..count]).await.is_err() {
            return;
        }
    }
}
