//! `doctor --explain`: settings with their values, their sources and their meaning.

use serde_json::Value;

use crate::program::{Ended, Place};
use crate::serving::Standalone;

/// The entries of `--explain --json`, by setting.
fn entry(ended: &Ended, setting: &str) -> Value {
    let entries: Vec<Value> = serde_json::from_str(&ended.stdout).expect("entries");
    let found = entries.into_iter().find(|entry| entry["setting"] == setting);
    found.unwrap_or_else(|| panic!("{setting} is not explained"))
}

#[test]
fn a_setting_is_explained_before_anything_was_started() {
    let place = Place::new();

    let text = place.sealpost("doctor --explain mailbox.ttl --data-dir none").ok();

    assert!(text.starts_with("mailbox.ttl = \"30d\"\n"), "{text}");
    for part in [
        "  from      default\n",
        "  means     How long an envelope waits for its device",
        "  takes     time\n",
        "  refused   with \"is above 0\"\n",
        "  default   \"30d\"\n",
        "  variable  SEALPOST__MAILBOX__TTL\n",
        "  read by   mailbox\n",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!place.path("none").exists());
}

#[test]
fn each_source_is_told_and_the_higher_one_wins() {
    let place = Place::new();
    place.write(
        "s.toml",
        "[mailbox]\nttl = \"1d\"\nwindow = 9\n\n[database]\nurl = \"postgres://u:hunter2@db/x\"\n\n\
         [internal]\ntoken_file = \"token\"\nadmin_token = \"hunter2hunter2hunter2\"\n",
    );
    let script = format!(
        "SEALPOST__MAILBOX__WINDOW=7 {} doctor --explain --json --config s.toml --data-dir none",
        crate::program::SEALPOST
    );

    let ended = Ended { code: Some(0), stdout: place.script(&script), stderr: String::new() };

    for (setting, value, from) in [
        ("mailbox.ttl", "\"1d\"", "file s.toml, line 2"),
        ("mailbox.window", "\"7\"", "environment variable SEALPOST__MAILBOX__WINDOW"),
        ("mailbox.idle", "\"90s\"", "default"),
        ("database.url", "\"postgres://[hidden]@db/…\"", "file s.toml, line 6"),
        ("internal.token", "[read from a file]", "file s.toml, line 9"),
        ("internal.admin_token", "[secret, set]", "file s.toml, line 10"),
    ] {
        let found = entry(&ended, setting);
        assert_eq!((found["value"].as_str(), found["from"].as_str()), (Some(value), Some(from)), "{setting}");
    }
    assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
}

#[tokio::test]
async fn what_the_standalone_has_made_is_told_and_not_shown() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;

    let ended = place.sealpost("doctor --explain --json --data-dir data");

    let keys = entry(&ended, "notify.auth_keys");
    assert_eq!(keys["value"], "[secret, set]");
    let token = entry(&ended, "internal.token");
    assert_eq!(token["value"], "[secret, set]");
    let from = token["from"].as_str().unwrap_or_default();
    assert!(
        from.starts_with("the standalone, which keeps it: ") && from.ends_with("secrets/internal-token"),
        "{from}"
    );
    for name in ["admin-token", "internal-token", "sms-vault-password", "auth-data-key", "notify-vapid-key"] {
        assert!(!ended.stdout.contains(&server.secret(name)), "{name} is shown");
    }
}

#[test]
fn an_unknown_name_is_refused_with_those_that_are_near() {
    let place = Place::new();

    let ended = place.sealpost("doctor --explain mailbox.max_envelope");

    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("no setting is called mailbox.max_envelope; near are mailbox.max_envelopes"),
        "{ended:?}"
    );
}

#[test]
fn editors_get_the_schema_that_the_program_explains_by() {
    let schema: Value = serde_json::from_str(&Place::new().sealpost("doctor --schema").ok()).expect("JSON");

    assert_eq!(schema["properties"]["mailbox"]["properties"]["ttl"]["default"], "30d");
    assert_eq!(schema["properties"]["internal"]["properties"]["token"]["writeOnly"], true);
}
