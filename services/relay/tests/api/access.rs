//! RabbitMQ asks relay who may do what: a real broker, with its auth back end pointed here.

use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::Method;
use serde_json::json;
use testkit::rabbitmq::RabbitMq;
use testkit::wait::wait_until;

use crate::harness::{Gateway, TestApp};
use crate::publishing::metric;

const EXCHANGE: &str = "DEKU_CLUSTER_SMS";

/// A client's connection to the broker.
struct Modem {
    connection: Connection,
}

impl Modem {
    async fn connect(broker: &RabbitMq, client: &Gateway) -> lapin::Result<Self> {
        let url = broker.url().replace("guest:guest", &format!("{}:{}", client.id, client.secret));
        Ok(Self { connection: Connection::connect(&url, ConnectionProperties::default()).await? })
    }

    /// A channel for one operation: what is refused ends it.
    async fn channel(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    async fn consumes(&self, queue: &str) -> lapin::Result<lapin::Consumer> {
        let options = BasicConsumeOptions::default();
        self.channel().await.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
    }

    async fn binds(&self, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
        let options = QueueBindOptions::default();
        self.channel()
            .await
            .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
            .await
    }

    /// Whether a message goes through: a refusal ends the channel.
    async fn publishes(&self, exchange: &str, key: &str) -> bool {
        let channel = self.channel().await;
        channel.confirm_select(Default::default()).await.unwrap();
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish(exchange.into(), key.into(), options, b"x", BasicProperties::default());
        match sent.await {
            Ok(confirm) => confirm.await.is_ok(),
            Err(_) => false,
        }
    }
}

/// Why an operation failed: `ACCESS_REFUSED` is 403.
fn is_refused<T>(result: lapin::Result<T>) -> bool {
    result.err().is_some_and(|error| {
        error.to_string().contains("ACCESS_REFUSED") || error.to_string().contains("ACCESS-REFUSED")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_reads_its_own_queues_and_nothing_else_and_a_revoked_one_is_out() {
    let port = testkit::process::ports::free();
    let broker = RabbitMq::asking(&format!("http://127.0.0.1:{port}/v1/relay/rabbitmq")).await.unwrap();
    let test = testkit::database::TestDb::sqlite().await;
    // Relay's own user is known to relay alone: the broker asks relay about it as about any other.
    let url = broker.url().replace("guest:guest", "relay:password-of-relay");
    let listen = format!("127.0.0.1:{port}");
    let more = [
        ("relay.amqp_url", &*url),
        ("internal.listen", &*listen),
        ("relay.rabbitmq_users.publisher", "password-of-the-publisher"),
    ];
    let app = TestApp::start_with(&test, &more).await;
    wait_until("relay to be connected", || async { metric(&app, "broker_connected").await == 1 }).await;
    let (own, other) =
        (app.client(&json!({"operators": ["mtn"]})).await, app.client(&json!({"operators": ["mtn"]})).await);
    let (queue, theirs) = (format!("{}_OUTGOING_SMS_mtn", own.id), format!("{}_OUTGOING_SMS_mtn", other.id));
    let (key, their_key) = (format!("{}_OUTGOING_SMS.mtn", own.id), format!("{}_OUTGOING_SMS.mtn", other.id));

    let modem = Modem::connect(&broker, &own).await.unwrap();

    let mut sms = modem.consumes(&queue).await.unwrap();
    let data = json!([{"isp": "mtn", "number": "+237650000001", "text": "hello"}]);
    own.post("/sms", &json!({"auth_id": own.id, "data": data})).await.assert_status(200);
    let delivery = sms.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&delivery.data).contains("hello"));
    delivery.ack(Default::default()).await.unwrap();
    modem.binds(&queue, EXCHANGE, &key).await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    modem.channel().await.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await.unwrap();

    assert!(is_refused(modem.consumes(&theirs).await));
    assert!(is_refused(modem.consumes("default-smswithoutborders-queue").await));
    for (queue, key) in
        [(&queue, &their_key), (&queue, &"#".to_owned()), (&theirs, &their_key), (&theirs, &key)]
    {
        assert!(is_refused(modem.binds(queue, EXCHANGE, key).await), "{queue} {key}");
    }
    assert!(is_refused(modem.binds(&queue, "default-smswithoutborders-exchange", "#").await));
    let delete = ExchangeDeleteOptions::default();
    assert!(is_refused(modem.channel().await.exchange_delete(EXCHANGE.into(), delete).await));
    let delete = QueueDeleteOptions::default();
    assert!(is_refused(modem.channel().await.queue_delete(queue.as_str().into(), delete).await));
    let declare = QueueDeclareOptions::default();
    assert!(is_refused(
        modem.channel().await.queue_declare("mine".into(), declare, FieldTable::default()).await
    ));
    assert!(!modem.publishes(EXCHANGE, &their_key).await);
    assert!(!modem.publishes("", &theirs).await);

    assert!(Modem::connect(&broker, &own.with_secret("wrong")).await.is_err());
    app.operator.delete(&format!("/v1/gateway-clients/{}", own.id)).await.assert_status(204);
    assert!(Modem::connect(&broker, &own).await.is_err());
    assert!(is_refused(modem.consumes(&queue).await) || !modem.connection.status().connected());
    let publisher = Gateway { id: "publisher".to_owned(), ..other.with_secret("password-of-the-publisher") };
    Modem::connect(&broker, &publisher)
        .await
        .unwrap()
        .consumes("default-smswithoutborders-queue")
        .await
        .unwrap();
    app.host.stop().await;
}

testkit::on_both! {
    async fn the_broker_is_answered_on_the_internal_listener_and_from_named_addresses_alone(test: TestDb) {
        let port = testkit::process::ports::free();
        let url = format!("amqp://relay:password-of-relay@127.0.0.1:{port}/sms");
        let own = [("relay.amqp_url", &*url)];
        let app = TestApp::start_with(&test, &own).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let ask = |method: Method, question: &str, fields: &[(&str, &str)]| {
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let path = format!("/v1/relay/rabbitmq/{question}");
            let request = match method {
                Method::GET => app.host.internal.request(method, &format!("{path}?{form}")),
                _ => app.host.internal.request(method, &path).body(form).header("content-type", "application/x-www-form-urlencoded"),
            };
            let internal = app.host.internal.clone();
            async move { internal.send(request).await.expect(200).text() }
        };
        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);

        for method in [Method::GET, Method::POST] {
            for (question, fields, answer) in [
                ("user", &[("username", &*client.id), ("password", &*client.secret)][..], "allow"),
                ("user", &[("username", &client.id), ("password", "wrong")], "deny"),
                ("user", &[("username", "relay"), ("password", "password-of-relay")], "allow"),
                ("user", &[("username", "relay"), ("password", "")], "deny"),
                ("user", &[], "deny"),
                ("vhost", &[("username", &client.id), ("vhost", "sms"), ("ip", "127.0.0.1")], "allow"),
                ("vhost", &[("username", &client.id), ("vhost", "/")], "deny"),
                ("vhost", &[("username", "nobody"), ("vhost", "sms")], "deny"),
                ("resource", &[("username", &client.id), ("vhost", "sms"), ("resource", "queue"), ("name", &queue), ("permission", "read")], "allow"),
                ("resource", &[("username", &client.id), ("vhost", "sms"), ("resource", "queue"), ("name", &queue), ("permission", "configure")], "deny"),
                ("resource", &[("username", "relay"), ("vhost", "sms"), ("resource", "queue"), ("name", &queue), ("permission", "configure")], "allow"),
                ("topic", &[("username", &client.id), ("vhost", "sms"), ("resource", "topic"), ("name", "DEKU_CLUSTER_SMS"), ("permission", "read"), ("routing_key", "#")], "deny"),
            ] {
                assert_eq!(ask(method.clone(), question, fields).await, answer, "{method} {question} {fields:?}");
            }
        }
        app.host.internal.get("/v1/relay/rabbitmq/other").await.assert_status(404);
        app.host.http.get("/v1/relay/rabbitmq/user?username=x&password=y").await.assert_status(404);
        app.host.stop().await;

        let open = [own[0], ("relay.rabbitmq_public_from", r#"["127.0.0.0/8"]"#)];
        let app = TestApp::start_with(&test, &open).await;
        let answer = app.host.http.get("/v1/relay/rabbitmq/user?username=x&password=y").await.expect(200);
        assert_eq!(answer.text(), "deny");
        app.host.stop().await;
    }
}
