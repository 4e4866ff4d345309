//! What the first start makes, and what later ones do with it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use testkit::wait::wait_until;

use super::{Standalone, begin};
use crate::program::Place;

const SECRETS: [&str; 13] = [
    "admin-token",
    "auth-data-key",
    "internal-token",
    "notify-api-key",
    "notify-vapid-key",
    "relay-data-key",
    "sms-api-key-demo",
    "sms-api-key-test",
    "sms-vault-password",
    "sms-vault.p12",
    "sync-data-key",
    "sync-private-key",
    "token-signing-key",
];

/// Everything in a folder, by name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), content)
        })
        .collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file").permissions().mode() & 0o777
}

#[tokio::test]
async fn secrets_are_made_once_private_and_named_but_not_shown() {
    let place = Place::new();

    let first = Standalone::start(&place, "").await;
    let (data, said) = (first.data.clone(), first.program.stderr());
    let secrets = contents(&data.join("secrets"));
    let exported = contents(&data.join("public"));
    first.stop().await;
    let second = Standalone::start(&place, "").await;

    assert_eq!(secrets.keys().collect::<Vec<_>>(), SECRETS);
    assert_eq!(exported.keys().collect::<Vec<_>>(), ["sms-auth.pub", "sms-demo.pub", "sms-test.pub"]);
    assert_eq!(contents(&data.join("secrets")), secrets);
    assert_eq!(contents(&data.join("public")), exported);
    for folder in ["", "secrets", "public"] {
        assert_eq!(mode(&data.join(folder)), 0o700, "{folder}");
    }
    for name in SECRETS {
        let path = data.join("secrets").join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        assert!(said.contains(path.to_str().expect("a path")), "{name} in {said}");
        let value = String::from_utf8_lossy(&secrets[name]).trim_end().to_owned();
        assert!(value.len() > 16 && !said.contains(&value), "{name} is shown");
        assert!(!second.program.stderr().contains(&value), "{name} is shown");
    }
    assert!(!second.program.stderr().contains("sms-api-key-demo"), "nothing is made again");
    let databases = [
        "auth.sqlite",
        "bus.sqlite",
        "keystore.sqlite",
        "mailbox.sqlite",
        "notify.sqlite",
        "relay.sqlite",
        "sms_gateway.sqlite",
    ];
    for database in databases {
        assert!(data.join(database).exists(), "{database}");
    }
}

#[tokio::test]
async fn what_a_killed_first_start_left_is_completed() {
    for made in
        ["internal-token", "sms-vault-password", "sms-vault.p12", "notify-api-key", "sms-api-key-test"]
    {
        let place = Place::new();
        let mut killed = begin(&place, "");
        let path = place.path("data/secrets").join(made);
        wait_until(made, || async { path.exists() }).await;
        killed.kill();
        let left = contents(&place.path("data/secrets"));

        let server = Standalone::start(&place, "").await;

        let now = contents(&server.data.join("secrets"));
        assert_eq!(now.keys().collect::<Vec<_>>(), SECRETS, "after {made}");
        for (name, content) in left.iter().filter(|(name, _)| SECRETS.contains(&name.as_str())) {
            assert_eq!(&now[name], content, "{name} after {made}");
        }
        server.http.get("/.well-known/jwks.json").await.assert_status(200);
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;

    let refusal =
        place.sealpost("serve --data-dir data --listen 127.0.0.1:0 --internal 127.0.0.1:0").refusal();

    let pid = server.program.pid();
    assert!(refusal.contains(&format!("in use by another sealpost (process {pid})")), "{refusal}");
    assert!(refusal.ends_with("stop that one first, or give this one another --data-dir"), "{refusal}");
    server.http.get("/.well-known/jwks.json").await.assert_status(200);
}

#[tokio::test]
async fn a_killed_server_is_followed_by_another_on_the_same_data() {
    let place = Place::new();
    let mut first = Standalone::start(&place, "").await;
    let account = serde_json::json!({"username": "alice", "password": "correct horse battery"});
    first.http.post("/v1/accounts", &account).await.assert_status(201);

    first.program.kill();
    let second = Standalone::start(&place, "").await;

    second.http.post("/v1/sessions", &account).await.assert_status(201);
}
