//! People, back-ends and operators before and after the tables have moved.

use reqwest::Method;
use serde_json::{Value, json};
use smpp::smsc::{Behaviour, Receipts, Smsc, SmscSettings};
use testkit::database::TestDb;
use testkit::wait::wait_until;
use testkit::ws::MessageSocket;

use super::super::Standalone;
use super::super::messages::{Person, person};
use super::super::sms::{over_http, send, statuses};
use super::write_settings;
use crate::program::{Ended, Place};

/// `admin sms` at a server.
fn admin(place: &Place, server: &Standalone, command: &str) -> Ended {
    let data = server.data.display();
    place.sealpost(&format!("admin sms {command} --data-dir {data} --server {}", server.internal_url))
}

/// What people, back-ends and operators are told, as far as asking changes nothing.
async fn answers(place: &Place, server: &Standalone, (alice, bob): (&Person, &Person)) -> Value {
    let backend = server.http.with_token(server.secret("notify-api-key"));
    let alice = server.http.with_token(&alice.token);
    let mut bundle = alice.get(&format!("/v1/keys/{}/*", bob.account)).await.expect(200).value();
    let device = bundle["devices"][0].as_object_mut().expect("a device");
    // Each fetcher gets another one.
    let one_time = device.remove("preKey").is_some_and(|key| key.is_object());
    device.remove("pqPreKey");
    let bob = server.http.with_token(&bob.token);
    let operator = server.internal.with_token(server.secret("admin-token"));
    json!({
        "bundle": bundle,
        "hasOneTimeKey": one_time,
        "waiting": bob.get("/v1/messages").await.expect(200).value(),
        "history": backend.get("/v1/notify/history?channel=user1").await.expect(200).value(),
        "statuses": heard(place, server, 2),
        "quota": admin(place, server, "quota").ok(),
        "found": admin(place, server, "find demo waits").ok(),
        "order": admin(place, server, "binds").ok().split('\t').take(2).collect::<String>(),
        "seeds": server.http.get("/seeds").await.expect(200).value(),
        "clients": operator.get("/v1/gateway-clients").await.expect(200).value(),
    })
}

/// What the server has to do with before it moves: people with a message that waits, an SMS that was delivered and one that
/// may not leave yet, a notification, a gateway client, a synchronization that was begun. Gives the path of the last.
async fn use_all_services(place: &Place, server: &Standalone, (alice, bob): (&Person, &Person)) -> String {
    let message = json!({"timestamp": 1_700_000_000_000_i64, "messages": [{
        "destinationDeviceId": 1,
        "destinationRegistrationId": bob.registration,
        "type": 1,
        "content": "Y2lwaGVydGV4dA==",
    }]});
    let from_alice = server.http.with_token(&alice.token);
    from_alice.put(&format!("/v1/messages/{}", bob.account), &message).await.assert_status(200);

    let sms = |correl_id: &str| {
        let sent = format!("{} {} --correl-id {correl_id}", send(server, "demo"), over_http(server, "demo"));
        place.sealpost_with(&sent, &["Your appointment is tomorrow"], "").ok()
    };
    wait_until("the bind", || async { admin(place, server, "binds").ok().contains("\tbound\t") }).await;
    sms("done");
    heard(place, server, 2);
    admin(place, server, "pause op").ok();
    sms("waits");
    wait_until("the job", || async { admin(place, server, "find demo waits").ok().contains("waits") }).await;

    let key = server.secret("notify-api-key");
    let published = server.http.request(Method::POST, "/message/user1").json(&json!({"message": "hello"}));
    server.http.send(published.header("authorization", key)).await.assert_status(200);

    let client = format!("gateway-client register --data-dir data --server {}", server.internal_url);
    place.sealpost(&client).ok();
    let ping = "gateway-client ping --imsi 624011234567890 --msisdn +237677123456 --count 1 --every 10ms";
    place.sealpost(&format!("{ping} --server {}", server.url)).ok();

    let session = server.http.with_token(&bob.token).get(&format!("/v2/sync/users/{}", bob.account)).await;
    path_of(&session.expect(200).text())
}

/// The first statuses of the client, as `correl-id state`.
fn heard(place: &Place, server: &Standalone, count: usize) -> Vec<String> {
    let listen = format!("sms listen statuses --all --count {count} {}", over_http(server, "demo"));
    let heard = statuses(&place.sealpost(&listen).ok());
    heard.into_iter().map(|(id, state, _)| format!("{id} {state}")).collect()
}

/// Whether a websocket is opened there.
async fn opens(server: &Standalone, path: &str) -> bool {
    let request = server.http.request(Method::GET, path).header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    request.send().await.expect("an answer").status() == 101
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standalone_goes_on_in_postgres_where_it_was() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    let behaviour = Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() };
    let smsc = Smsc::start(SmscSettings { behaviour, ..SmscSettings::default() }).await.expect("an SMSC");
    let operator = format!(
        "[relay]\nseed_ttl = \"10m\"\n[sync]\nsession_sleep_timeout = \"5m\"\n[sms_gateway.quota]\nday = 100\n[[sms_gateway.smsc]]\nname = \"op\"\nport = {}\n\
         system_id = \"demo\"\npassword = \"any\"\n",
        smsc.address().port()
    );
    write_settings(&place, &db, &operator);
    let server = Standalone::start(&place, "--config files.toml").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);
    let handshake = use_all_services(&place, &server, (&alice, &bob)).await;
    let before = answers(&place, &server, (&alice, &bob)).await;
    server.stop().await;

    let moved = place.sealpost("migrate --from-sqlite data --config postgres.toml");
    let server = Standalone::start(&place, "--config postgres.toml").await;

    assert!(moved.stderr.contains("each read back and compared"), "{moved:?}");
    let lines = moved.ok();
    assert!(
        lines.lines().count() == 7 && !lines.contains(": 0 rows"),
        "every service had something: {lines}"
    );
    let login = json!({"username": "bob", "password": "correct horse battery"});
    server.http.post("/v1/sessions", &login).await.assert_status(201);
    // An order is told once the gateway has read it; until then it submits nothing.
    wait_until("the order", || async { admin(&place, &server, "binds").ok().starts_with("op\tpaused") })
        .await;
    let after = answers(&place, &server, (&alice, &bob)).await;
    for (asked, answer) in before.as_object().expect("answers") {
        assert_eq!(&after[asked], answer, "{asked}");
    }
    let mut socket = MessageSocket::connect(&server.url, &bob.token).await;
    let (envelopes, last) = socket.backlog().await;
    assert_eq!((envelopes.len(), last), (1, 1));
    assert_eq!(envelopes[0].content.0, b"ciphertext");
    assert!(opens(&server, &handshake).await, "the session of sync is known");
    assert_eq!(smsc.counts().borrow().accepted, 1, "what was paused waits");
    admin(&place, &server, "resume op").ok();
    let expected = ["done SENT", "done DELIVERED", "waits SENT", "waits DELIVERED"];
    assert_eq!(heard(&place, &server, 4), expected);
    assert_eq!(smsc.counts().borrow().accepted, 2, "each was sent once");
}

fn path_of(url: &str) -> String {
    let url = url.trim();
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or_else(|| panic!("a path in {url}"), |at| url[host + at..].to_owned())
}
