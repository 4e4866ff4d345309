//! A gateway client at a standalone, with a broker that asks the standalone who the client is.

use serde_json::{Value, json};
use testkit::process::ports;
use testkit::rabbitmq::RabbitMq;
use testkit::wait::wait_until;

use super::Standalone;
use crate::program::Place;

fn file_mode(place: &Place, name: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    place.path(name).metadata().expect("a file").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_registers_pings_and_takes_sms_out_of_its_queue() {
    let place = Place::new();
    let internal = format!("127.0.0.1:{}", ports::free());
    let broker = RabbitMq::asking(&format!("http://{internal}/v1/relay/rabbitmq")).await.expect("a broker");
    let amqp = broker.url().replace("guest:guest@", "");
    place.write(
        "settings.toml",
        &format!(
            "[relay]\namqp_url = \"{}\"\n",
            broker.url().replace("guest:guest", "relay:password-of-relay")
        ),
    );
    let server = Standalone::start_at(&place, &internal, "--config settings.toml").await;
    let connected = || async {
        server
            .internal
            .get("/metrics")
            .await
            .text()
            .contains("sealpost_relay_broker_connected{service=\"relay\"} 1")
    };
    wait_until("relay to be connected", connected).await;

    let id = place
        .sealpost(&format!(
            "gateway-client register --msisdn +237677123456 --data-dir data --server http://{internal}"
        ))
        .ok();
    let ping = format!(
        "gateway-client ping --imsi 624011234567890 --msisdn +237677123456 --count 2 --every 10ms --server {}",
        server.url
    );
    let pinged = place.sealpost(&ping).ok();

    assert_eq!(file_mode(&place, "gateway-client.json"), 0o600);
    assert_eq!(pinged.lines().count(), 2);
    assert_eq!(server.http.get("/seeds").await.value()[0]["operator_id"], "62401");
    let credentials: Value =
        serde_json::from_slice(&std::fs::read(place.path("gateway-client.json")).expect("a file"))
            .expect("JSON");
    assert_eq!(credentials["clientId"], id.trim_end());
    let request = server.http.request(reqwest::Method::POST, "/sms");
    let data = json!([{"isp": "mtn", "number": "+237650000001", "text": "hello"}]);
    let request = request
        .basic_auth(id.trim_end(), credentials["secret"].as_str())
        .json(&json!({"auth_id": id.trim_end(), "data": data}));
    server.http.send(request).await.assert_status(200);
    let taken =
        place.sealpost(&format!("gateway-client consume --operator mtn --count 1 --amqp {amqp}")).ok();
    assert_eq!(
        serde_json::from_str::<Value>(&taken).expect("JSON"),
        json!({"text": "hello", "number": "+237650000001"})
    );
    let other = place.sealpost(&format!("gateway-client consume --operator orange --count 1 --amqp {amqp}"));
    assert_ne!(other.code, Some(0));
    assert!(!server.program.stderr().contains(credentials["secret"].as_str().expect("a secret")));
}

#[tokio::test]
async fn without_a_broker_sms_come_in_and_none_go_out_and_the_server_says_so() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let said = server.program.stderr();

    let registered = place.sealpost("gateway-client register --data-dir data --server http://127.0.0.1:1");
    assert!(registered.refusal().starts_with("http://127.0.0.1:1/: "));
    let internal = server.internal.request(reqwest::Method::GET, "/").build().expect("a request");
    let url = internal.url().as_str().trim_end_matches('/').to_owned();
    place.sealpost(&format!("gateway-client register --data-dir data --server {url}")).ok();
    let again = place.sealpost(&format!("gateway-client register --data-dir data --server {url}")).refusal();
    let forward = format!("gateway-client forward --from +237677123456 --sms hello --server {}", server.url);
    let refused = place.sealpost(&forward).refusal();

    assert!(again.contains("is there already"), "{again}");
    assert_eq!(refused, "the server answered 400: the text is not an encrypted message");
    assert!(said.contains("no RabbitMQ is configured"), "{said}");
}
