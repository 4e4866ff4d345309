//! Each kind of door, through nginx.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::socketio_peers::SocketIoPeer;
use testkit::wait::wait_until;
use testkit::ws::MessageSocket;
use tokio::time::timeout;

use crate::device::Device;
use crate::followed::one_id_is_in_the_logs_of_all_that_a_message_comes_to;
use crate::world::World;

/// Below what mailbox reads of a request, and above what one message may hold.
const LARGE: usize = 4_000_000;
/// Larger than what mailbox reads, and below what nginx lets through.
const UNREAD: usize = 4_500_000;
/// Larger than what nginx lets through.
const TOO_LARGE: usize = 5_500_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_of_every_service_is_open_behind_nginx() {
    let world = World::start().await;

    every_service_answers_its_paths(&world).await;
    let sender = messages_arrive_by_websocket(&world).await;
    one_id_is_in_the_logs_of_all_that_a_message_comes_to(&world).await;
    notifications_arrive_by_socket_io(&world).await;
    events_arrive_while_their_stream_is_open(&world).await;
    bodies_have_the_limits_of_the_services(&world, &sender).await;
    plain_http_is_sent_to_tls(&world).await;
    each_client_has_its_own_address(&world).await;
    tokens_in_queries_stay_out_of_the_log(&world).await;
}

/// Each path of each interface description is answered as by the service itself: another one would not know it.
async fn every_service_answers_its_paths(world: &World) {
    let client = world.client();
    let mut known = 0;
    for (service, direct) in &world.services {
        for path in described(service) {
            let path = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
            let path = path.collect::<Vec<_>>().join("x");
            let (through, itself) = (client.get(&path).await, direct.get(&path).await);

            assert_eq!(through.status, itself.status, "{service} {path}: {}", through.text());
            assert!(!through.text().contains("nginx"), "{service} {path}: {}", through.text());
            known += usize::from(itself.status != 404);
        }
    }
    assert!(known > 60, "only {known} paths were known to their service");
    // Beside the table there is nothing; what only begins like an entry is not below it.
    for path in ["/internal/auth/v1/revocations", "/metrics", "/health/ready", "/v1/keysmith", "/v1"] {
        let answer = client.get(path).await.expect(404);
        assert!(answer.text().contains("nginx"), "{path} came through: {}", answer.text());
    }
}

/// The public paths of a service.
fn described(service: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../proto/openapi/{service}.json"));
    let description: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let paths = description["paths"].as_object().unwrap().keys();
    paths.filter(|path| !path.starts_with("/internal/")).cloned().collect()
}

/// Gives a client that is logged in.
async fn messages_arrive_by_websocket(world: &World) -> TestClient {
    let client = world.client();
    let (alice, bob) = (Device::register(&client, "alice").await, Device::register(&client, "bob").await);
    let mut socket = MessageSocket::connect(&world.tunnel.url, &bob.token).await;
    assert!(socket.backlog().await.0.is_empty());

    let sender = client.with_token(alice.token);
    sender.put(&bob.path(), &bob.message(b"hello")).await.assert_status(200);

    assert_eq!(socket.take().await.content.0, b"hello");
    sender
}

async fn notifications_arrive_by_socket_io(world: &World) {
    let backend = Backend::of(world);
    let token = backend.token("orders").await;
    for peer in SocketIoPeer::all() {
        let mut client = peer.start(&world.tunnel.url, json!({"do": "listen", "token": token})).unwrap();
        client.event("joined").await;
        assert_eq!(client.event("settled").await["transport"], peer.last_transport(), "{}", client.name);

        backend.publish("orders", &json!({"to": client.name})).await;

        assert_eq!(client.event("message").await["data"], json!({"to": client.name}));
    }
}

/// A proxy that buffers would hold a small event back until more come.
async fn events_arrive_while_their_stream_is_open(world: &World) {
    let backend = Backend::of(world);
    let token = backend.token("stream").await;
    let client = world.client();
    let request = client.request(Method::GET, &format!("/v1/notify/sse?token={token}"));
    let mut stream = request.send().await.unwrap();
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "event: subscribed").await;

    backend.publish("stream", &json!("one small event")).await;

    read_until(&mut stream, &mut seen, "one small event").await;
}

async fn read_until(stream: &mut reqwest::Response, seen: &mut String, word: &str) {
    while !seen.contains(word) {
        let chunk = timeout(Duration::from_secs(10), stream.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("no {word} in {seen}")).unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk.expect("a stream that goes on")));
    }
}

/// The largest bodies that services take come through whole; what is larger goes no further than nginx.
async fn bodies_have_the_limits_of_the_services(world: &World, sender: &TestClient) {
    let message = |size: usize| {
        json!({"messages": [{
            "destinationDeviceId": 1, "destinationRegistrationId": 1, "type": 1, "content": "A".repeat(size),
        }], "timestamp": 1})
    };
    let path = format!("/v1/messages/{}", uuid::Uuid::new_v4());

    let by_service = sender.put(&path, &message(LARGE)).await.expect(413);
    let unread = sender.put(&path, &message(UNREAD)).await.expect(413);
    let by_nginx = world.client().put(&path, &message(TOO_LARGE)).await.expect(413);

    // In its own form: the content of one message is too large, or the body as a whole.
    assert_eq!((by_service.problem().status, unread.problem().status), (413, 413));
    assert!(by_nginx.text().contains("nginx"), "{}", by_nginx.text());
}

async fn plain_http_is_sent_to_tls(world: &World) {
    let client = TestClient::new(format!("http://{}", world.nginx.plain));

    let answer = client.get("/v1/keys?x=1").await.expect(308);

    assert_eq!(answer.header("location"), Some("https://127.0.0.1/v1/keys?x=1"));
}

/// Limits count by the address that nginx sees, whatever the client says of itself.
async fn each_client_has_its_own_address(world: &World) {
    let (one, _tunnel) = world.elsewhere(Ipv4Addr::new(127, 0, 0, 2)).await;
    let (other, _other_tunnel) = world.elsewhere(Ipv4Addr::new(127, 0, 0, 3)).await;
    let register = async |client: &TestClient, number: u8| {
        let body = json!({"username": format!("person.{number}"), "password": "a password of some length"});
        let request = client.request(Method::POST, "/v1/accounts").json(&body);
        client.send(request.header("x-forwarded-for", format!("203.0.113.{number}"))).await.status.as_u16()
    };

    let mut answers = Vec::new();
    for number in 1..=4 {
        answers.push(register(&one, number).await);
    }

    assert_eq!(answers, [201, 201, 201, 429]);
    assert_eq!(register(&other, 5).await, 201);
}

async fn tokens_in_queries_stay_out_of_the_log(world: &World) {
    // A stream has its line once nginx has noticed that the client is gone.
    wait_until("the line of the stream", || async { world.nginx.log().contains("GET /v1/notify/sse 200") })
        .await;

    let log = world.nginx.log();
    assert!(!log.contains("token="), "{log}");
}

/// A back-end of notify with its key.
struct Backend(TestClient);

impl Backend {
    fn of(world: &World) -> Self {
        Self(world.client().with_token(world.notify_key.as_str()))
    }

    async fn token(&self, channel: &str) -> String {
        let answer = self.0.post("/v1/notify/tokens", &json!({"channel": channel})).await.expect(201);
        answer.value()["token"].as_str().unwrap().to_owned()
    }

    async fn publish(&self, channel: &str, data: &Value) {
        self.0
            .post("/v1/notify/messages", &json!({"channel": channel, "data": data}))
            .await
            .assert_status(200);
    }
}
