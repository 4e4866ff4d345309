//! Accounts from the terminal: found, shown, locked out and let in again; and what is written down of it.

use common::models::gateway::GatewayCredentials;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::signal::{DeviceRegistration, Identity};
use testkit::wait::wait_until;

use super::Standalone;
use crate::program::{Ended, Place};

/// A person with one device.
pub(super) struct Person {
    pub(super) account: String,
    pub(super) client: TestClient,
    registration: i64,
}

pub(super) async fn person(server: &Standalone, name: &str) -> Person {
    let login = json!({"username": name, "password": "correct horse battery"});
    let body = json!({"username": name, "password": "correct horse battery", "email": format!("{name}@example.org")});
    server.http.post("/v1/accounts", &body).await.assert_status(201);
    let session = server.http.post("/v1/sessions", &login).await.expect(201).value();
    let client = server.http.with_token(session["accessToken"].as_str().expect("a token"));
    let registration = DeviceRegistration::new(&Identity::new());
    let device = client.post("/v1/devices", &registration).await.expect(201).value();
    Person {
        account: session["accountId"].as_str().expect("an id").to_owned(),
        client: server.http.with_token(device["accessToken"].as_str().expect("a token")),
        registration: registration.registration_id,
    }
}

impl Person {
    /// Sends an envelope to somebody's device.
    async fn send(&self, to: &Self) -> u16 {
        let message = json!({"destinationDeviceId": 1, "destinationRegistrationId": to.registration, "type": 1, "content": "aGVsbG8="});
        let body = json!({"messages": [message], "timestamp": 1_700_000_000_000_i64});
        self.client.put(&format!("/v1/messages/{}", to.account), &body).await.status.as_u16()
    }
}

/// Runs `sealpost admin`, as carol.
fn admin(place: &Place, server: &Standalone, command: &str, last: &[&str]) -> Ended {
    let options = format!("--data-dir data --server {} --as carol", server.internal_url);
    place.sealpost_with(&format!("admin {command} {options}"), last, "")
}

fn parsed(ended: Ended) -> Value {
    serde_json::from_str(&ended.ok()).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_finds_an_account_sees_how_it_does_and_locks_it_out() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);
    assert_eq!(bob.send(&alice).await, 200);

    let found = admin(&place, &server, "accounts find al --prefix", &[]).ok();
    let listed = parsed(admin(&place, &server, "accounts list --limit 1 --json", &[]));
    let shown = admin(&place, &server, "accounts show alice", &[]).ok();
    let whole = parsed(admin(&place, &server, "accounts show alice --json", &[]));
    let by_device = parsed(admin(&place, &server, "accounts find alice/1 --json", &[]));
    let queue = parsed(admin(&place, &server, &format!("queue show {} --json", alice.account), &[]));
    let blocked =
        admin(&place, &server, "accounts block alice", &["--reason", "sells what is not hers"]).ok();

    assert!(
        found.starts_with("account ") && found.contains(&alice.account) && !found.contains("bob"),
        "{found}"
    );
    assert_eq!(listed["accounts"].as_array().expect("accounts").len(), 1);
    assert!(listed["next"].is_string(), "{listed}");
    for part in [
        "name          alice\n",
        "blocked       no\n",
        "sessions      1\n",
        "a*****@example.org (not verified)",
    ] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    assert!(!shown.contains("alice@"), "{shown}");
    assert_eq!(whole["devices"]["devices"][0]["state"], "active");
    assert_eq!((&queue["queues"][0]["count"], &queue["queues"][0]["bytes"]), (&json!(1), &json!(5)));
    assert_eq!((&whole["queues"], &by_device["account"]["accountId"]), (&queue, &json!(alice.account)));
    assert_eq!(blocked, format!("account {} is blocked; sessions ended: 1\n", alice.account));
    // The block waits but a second for the services to hear of it; then they hear of it by the bus.
    wait_until("alice's token to be refused", || async {
        alice.client.get("/v1/messages").await.status == 401
    })
    .await;
    assert_eq!(alice.send(&bob).await, 401);
    // To whom it sends, nothing has changed: it waits.
    assert_eq!(bob.send(&alice).await, 200);
    let shown = admin(&place, &server, "accounts show alice", &[]).ok();
    assert!(shown.contains(": sells what is not hers\n"), "{shown}");
    let waits = parsed(admin(&place, &server, "queue show alice --json", &[]));
    assert_eq!(waits["queues"][0]["count"], 2);

    admin(&place, &server, "accounts unblock alice", &[]).ok();
    admin(&place, &server, "devices remove alice 1", &[]).ok();

    let login = json!({"username": "alice", "password": "correct horse battery"});
    server.http.post("/v1/sessions", &login).await.assert_status(201);
    assert_eq!(parsed(admin(&place, &server, "devices list alice --json", &[]))["devices"], json!([]));
    let log = admin(&place, &server, "audit --of auth --of keystore", &[]).ok();
    for entry in
        ["\taccounts.block\taccount=", "\taccounts.unblock\t", "\tdevices.remove\t", "\tcarol at 127.0.0.1\t"]
    {
        assert!(log.contains(entry), "{entry:?} in {log}");
    }
    assert!(!log.contains("not hers"), "{log}");
    let refused = admin(&place, &server, "accounts show nobody", &[]).refusal();
    assert_eq!(refused, "no such account");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_makes_an_api_key_that_counts_from_the_next_start_on_and_is_shown_once() {
    let place = Place::new();
    let made = place.sealpost("admin api-keys create notify shop");
    let key = made.stdout.split('"').nth(3).expect("a key").to_owned();
    place.write("settings.toml", &made.ok());
    let server = Standalone::start(&place, "--config settings.toml").await;

    let listed = parsed(admin(&place, &server, "api-keys list --json", &[]));
    let told = admin(&place, &server, "api-keys list --of notify", &[]).ok();

    let holder = json!({"service": "notify", "name": "shop", "may": "all channels but those of accounts"});
    assert!(listed.as_array().expect("holders").contains(&holder), "{listed}");
    assert!(told.contains("shop") && !told.contains(&key) && !listed.to_string().contains(&key), "{told}");
    let publish = server.http.request(reqwest::Method::POST, "/channel/user1").header("authorization", key);
    server.http.send(publish).await.assert_status(200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_renews_and_revokes_a_gateway_client() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let made = admin(&place, &server, "audit --json", &[]);
    assert_eq!(parsed(made), json!([]));
    let register =
        format!("gateway-client register --label Buea --data-dir data --server {}", server.internal_url);
    let id = place.sealpost(&register).ok().trim_end().to_owned();

    let listed = admin(&place, &server, "gateway-clients list", &[]).ok();
    let rotated =
        admin(&place, &server, &format!("gateway-clients rotate {id} --credentials other.json"), &[]);
    let shown = admin(&place, &server, &format!("gateway-clients show {id}"), &[]).ok();
    let revived = admin(&place, &server, "gateway-clients revive", &[]).ok();
    admin(&place, &server, &format!("gateway-clients revoke {id}"), &[]).ok();
    let gone = admin(&place, &server, &format!("gateway-clients show {id}"), &[]).refusal();

    assert!(listed.contains(&id) && listed.contains("Buea"), "{listed}");
    rotated.ok();
    let read = |name: &str| -> GatewayCredentials {
        serde_json::from_slice(&std::fs::read(place.path(name)).expect("a file")).expect("credentials")
    };
    let (old, new) = (read("gateway-client.json"), read("other.json"));
    assert_eq!((old.client_id, new.client_id.as_str()), (new.client_id, id.as_str()));
    assert_ne!(old.secret, new.secret);
    assert!(shown.contains("label             Buea\n"), "{shown}");
    assert_eq!(revived, "SMS that are tried again: 0\n");
    assert_eq!(gone, "no such gateway client");
    server.stop().await;
}
