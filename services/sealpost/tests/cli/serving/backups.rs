//! Backups of a server that works, and what is made of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::wait::wait_until;

use super::Standalone;
use super::messages::{Person, person};
use crate::program::Place;

/// Everything below a folder, files only.
pub(super) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn message(number: usize, registration: &Value) -> Value {
    json!({
        "timestamp": 1_700_000_000_000_i64,
        "messages": [{
            "destinationDeviceId": 1,
            "destinationRegistrationId": registration,
            "type": 1,
            "content": base64_of(number),
        }],
    })
}

/// Eight digits are six bytes in base64, whatever they say.
pub(super) fn base64_of(number: usize) -> String {
    format!("{number:08}")
}

/// What waits for somebody, in its order.
pub(super) async fn received(server: &Standalone, token: &str) -> Vec<String> {
    let (mut found, client) = (Vec::new(), server.http.with_token(token));
    loop {
        let page = client.get(&format!("/v1/messages?afterSeq={}", found.len())).await.expect(200).value();
        let messages = page["messages"].as_array().expect("messages").clone();
        if messages.is_empty() {
            return found;
        }
        found.extend(messages.iter().map(|message| message["content"].as_str().expect("text").to_owned()));
    }
}

/// A backup of a server that took messages meanwhile.
pub(super) struct Made {
    pub(super) copy: &'static str,
    /// How many messages had been acknowledged before it, and after it.
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) said: String,
}

/// Backs up while one sends to the other.
pub(super) async fn back_up(
    place: &Place,
    server: &Standalone,
    (from, to): (&Person, &Person),
    options: &str,
) -> Made {
    let client = server.http.with_token(&from.token);
    let path = format!("/v1/messages/{}", to.account);
    let (acknowledged, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let sending = async {
        while !enough.load(Ordering::SeqCst) {
            let number = acknowledged.load(Ordering::SeqCst);
            client.put(&path, &message(number, &to.registration)).await.assert_status(200);
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    };
    let backing_up = async {
        wait_until("messages", || async { acknowledged.load(Ordering::SeqCst) >= 20 }).await;
        let mut made = None;
        // On a busy machine none may be taken for as long as one backup lasts: then another is made.
        for copy in ["copy", "second", "third", "fourth", "fifth"] {
            let before = acknowledged.load(Ordering::SeqCst);
            let ended = place.sealpost_later(&format!("backup --to {copy} --data-dir data {options}")).await;
            let after = acknowledged.load(Ordering::SeqCst);
            let said = ended.stderr.clone();
            ended.ok();
            if after > before {
                made = Some(Made { copy, before, after, said });
                break;
            }
        }
        enough.store(true, Ordering::SeqCst);
        made.expect("a message that was taken during a backup")
    };
    tokio::join!(sending, backing_up).1
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_is_in_it() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);

    let Made { copy, before, after, said } = back_up(&place, &server, (&alice, &bob), "").await;

    assert!(said.contains("not encrypted"), "{said}");
    server.stop().await;
    let restored = place.sealpost(&format!("restore --from {copy} --data-dir again"));
    assert!(restored.stderr.contains(&format!("restored: {copy}")), "{restored:?}");
    // That Bob has messages was published just before the backup: the bus in it may or may not have that.
    assert!(restored.stderr.contains(" events will be published again"), "{restored:?}");
    assert!(!restored.stderr.contains("; 0 events"), "{restored:?}");
    restored.ok();
    let server = Standalone::start_on(&place, "again", "").await;
    let found = received(&server, &bob.token).await;
    assert!((before..=after + 1).contains(&found.len()), "{before} <= {} <= {after}", found.len());
    let expected: Vec<String> = (0..found.len()).map(base64_of).collect();
    assert_eq!(found, expected);
    let login = json!({"username": "alice", "password": "correct horse battery"});
    server.http.post("/v1/sessions", &login).await.assert_status(201);
}

#[tokio::test]
async fn a_prekey_that_waited_at_a_backup_is_given_to_nobody_after_it_is_restored() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);
    let path = format!("/v1/keys/{}/1", bob.account);
    place.sealpost("backup --to copy --data-dir data").ok();
    let fetched = server.http.with_token(&alice.token).get(&path).await.expect(200).value();
    server.stop().await;
    // A link as systemd makes it, to a volume, which stays where it is.
    std::fs::create_dir_all(place.path("private/lost+found")).expect("a folder");
    std::os::unix::fs::symlink("private", place.path("again")).expect("a link");

    place.sealpost("restore --from copy --data-dir again").ok();
    let server = Standalone::start_on(&place, "again", "").await;
    let after = server.http.with_token(&alice.token).get(&path).await.expect(200).value();

    assert!(fetched["devices"][0]["preKey"].is_object(), "{fetched}");
    assert!(after["devices"][0]["preKey"].is_null(), "{after}");
    assert_ne!(after["devices"][0]["pqPreKey"], fetched["devices"][0]["pqPreKey"]);
    assert!(after["devices"][0]["pqPreKey"].is_object(), "the key of last resort serves meanwhile: {after}");
}

#[tokio::test]
async fn a_backup_is_private_and_told_from_a_damaged_one() {
    let place = Place::new();
    Standalone::start(&place, "").await.stop().await;
    place.sealpost("backup --to copy --data-dir data").ok();

    let modes: Vec<u32> = files(&place.path("copy"))
        .iter()
        .map(|file| file.metadata().expect("a file").permissions().mode() & 0o777)
        .collect();
    assert!(modes.len() > 20 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
    assert_eq!(place.path("copy").metadata().expect("it").permissions().mode() & 0o777, 0o700);
    let sound = place.sealpost("restore --check --from copy --data-dir nowhere");
    assert!(sound.stderr.starts_with("sound: copy of 20"), "{sound:?}");
    sound.ok();
    std::fs::write(place.path("copy/secrets/admin-token"), "another").expect("a file");
    let refusal = place.sealpost("restore --from copy --data-dir again").refusal();

    assert_eq!(refusal, "secrets/admin-token is not what was backed up");
    assert!(!place.path("again").exists() && !place.path("nowhere").exists());
}

#[tokio::test]
async fn nothing_is_written_over() {
    let place = Place::new();
    Standalone::start(&place, "").await.stop().await;
    place.sealpost("backup --to copy --data-dir data").ok();

    let twice = place.sealpost("backup --to copy --data-dir data").refusal();
    let over = place.sealpost("restore --from copy --data-dir data").refusal();

    assert_eq!(twice, "copy exists already");
    assert_eq!(over, "data is not empty: name another --data-dir");
}
