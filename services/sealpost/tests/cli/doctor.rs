//! `doctor` on installations that are well, and on some that are not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use testkit::database::TestDb;
use testkit::rabbitmq::SecuredRabbitMq;
use testkit::{kafka, rabbitmq};

use crate::program::{Ended, Place};
use crate::serving::Standalone;

/// The states and texts of the findings about `check`.
fn about(ended: &Ended, check: &str) -> Vec<(String, String)> {
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("findings");
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .filter(|finding| finding["check"] == check)
        .map(|finding| (text(finding, "state"), text(finding, "says")))
        .collect()
}

#[tokio::test]
async fn a_standalone_that_serves_is_well_but_for_the_smsc_it_lacks() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;

    let ended = place.sealpost("doctor --json --data-dir data");
    let lines = place.sealpost("doctor --data-dir data");

    assert_eq!(ended.code, Some(1), "{ended:?}");
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("findings");
    let unwell: Vec<&Value> = findings.iter().filter(|finding| finding["state"] != "ok").collect();
    assert!(unwell.len() == 1 && unwell[0]["check"] == "smsc", "{unwell:?}");
    for check in ["files", "settings", "key demo", "database auth", "outbox mailbox", "bus", "live"] {
        assert_eq!(about(&ended, check).len(), 1, "{check}");
    }
    assert!(lines.stdout.contains("warning  smsc: none is configured"), "{lines:?}");
    for name in ["admin-token", "internal-token", "sms-vault-password", "auth-data-key"] {
        assert!(!ended.stdout.contains(&server.secret(name)), "{name} is shown");
    }
}

#[tokio::test]
async fn each_fault_is_told_by_its_place() {
    let place = Place::new();
    Standalone::start(&place, "").await.stop().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    place.write(
        "settings.toml",
        &format!(
            "[mailbox]\nttll = \"1s\"\n[live]\nurl = \"amqp://u:s3cret@127.0.0.1:{0}/\"\n\
             [[sms_gateway.smsc]]\nname = \"far\"\nhost = \"127.0.0.1\"\nport = {0}\n",
            port.port()
        ),
    );
    let token = place.path("data/secrets/admin-token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    std::fs::write(place.path("data/auth.sqlite"), "no database, but long enough to be taken for one")
        .expect("a file");

    let ended = place.sealpost("doctor --json --data-dir data --config settings.toml");

    assert_eq!(ended.code, Some(2), "{ended:?}");
    for (check, part) in [
        ("settings", "mailbox.ttll"),
        ("files", "secrets/admin-token: others"),
        ("database auth", "not a database"),
        ("live", "127.0.0.1 cannot be used"),
        ("smsc far", "refused"),
    ] {
        let found = about(&ended, check);
        let told = found.iter().any(|(state, says)| state == "failed" && says.contains(part));
        assert!(told, "{check}: {found:?}");
    }
    assert!(!ended.stdout.contains("s3cret"), "{ended:?}");
}

#[tokio::test]
async fn on_postgres_it_looks_and_migrate_acts() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    place.write("token", "a token of the operator\n");
    place.write(
        "settings.toml",
        &format!("[internal]\ntoken_file = \"token\"\n[database]\nurl = \"{}\"\n", db.settings().url),
    );
    let doctor = || place.sealpost("doctor --json --config settings.toml --data-dir none");

    let before = doctor();
    let migrated = place.sealpost("migrate --config settings.toml").ok();
    let after = doctor();
    let again = place.sealpost("migrate --config settings.toml");

    let found = about(&before, "database mailbox");
    assert!(found[0].0 == "failed" && found[0].1.contains("migrations are missing"), "{found:?}");
    assert!(migrated.contains("mailbox: applied ") && migrated.contains("auth: applied "), "{migrated}");
    assert_eq!(about(&after, "database mailbox")[0].0, "ok", "{after:?}");
    assert_eq!(about(&after, "clock of the database")[0].0, "ok");
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    assert_eq!(again.ok(), "");
    assert!(!place.path("none").exists() && !place.path("sealpost-data").exists());
}

#[tokio::test]
async fn brokers_that_answer_are_asked_for_the_topics() {
    let (place, kafka, vhost) = (Place::new(), kafka::bootstrap().await, rabbitmq::vhost().await);
    let (there, missing) = (kafka::unique("there"), kafka::unique("missing"));
    kafka::create_topic(kafka, &there, 3).await.expect("a topic");
    place.write(
        "settings.toml",
        &format!(
            "[bus]\nkind = \"kafka\"\nbrokers = \"{kafka}\"\n[live]\nurl = \"{}\"\n\
             [internal]\ntoken = \"a token of the operator\"\n\
             [sms_gateway.topics]\nsend = \"{there}\"\nstatus = \"{missing}\"\n",
            vhost.url()
        ),
    );

    let ended = place.sealpost("doctor --json --data-dir none --config settings.toml");

    assert_eq!(about(&ended, "bus"), [("ok".to_owned(), "Kafka answers".to_owned())]);
    assert_eq!(about(&ended, &format!("topic {there}")), [("ok".to_owned(), "3 partitions".to_owned())]);
    assert_eq!(about(&ended, &format!("topic {missing}"))[0].0, "failed", "{ended:?}");
    assert_eq!(about(&ended, "live")[0].0, "ok", "{ended:?}");
}

#[tokio::test]
async fn a_broker_with_an_authority_of_its_own_is_asked_with_the_certificates_of_the_settings() {
    let (place, broker) = (Place::new(), SecuredRabbitMq::start().await.expect("a broker"));
    let file = |path: Option<PathBuf>| path.expect("a file").display().to_string();
    let tls = broker.tls();
    let tls = format!(
        "[live.tls]\nca_file = \"{}\"\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n",
        file(tls.ca_file),
        file(tls.certificate_file),
        file(tls.key_file)
    );
    for (settings, expected) in [(tls.as_str(), "ok"), ("", "failed")] {
        let token = "[internal]\ntoken = \"a token of the operator\"";
        place.write("settings.toml", &format!("{token}\n[live]\nurl = \"{}\"\n{settings}", broker.url()));

        let ended = place.sealpost("doctor --json --data-dir none --config settings.toml");

        assert_eq!(about(&ended, "live")[0].0, expected, "{ended:?}");
        assert!(!ended.stdout.contains("guest"), "{ended:?}");
    }
}

#[test]
fn a_data_directory_that_is_not_there_is_not_made() {
    let place = Place::new();

    let ended = place.sealpost("doctor --json --data-dir elsewhere");

    assert_eq!(ended.code, Some(2));
    assert_eq!(about(&ended, "files"), [("failed".to_owned(), "elsewhere is not there".to_owned())]);
    assert!(!place.path("elsewhere").exists());
}

#[tokio::test]
async fn the_files_of_a_server_that_runs_are_not_migrated() {
    let place = Place::new();
    let _server = Standalone::start(&place, "").await;

    let refusal = place.sealpost("migrate --data-dir data").refusal();

    assert!(refusal.contains("in use by another sealpost"), "{refusal}");
}

#[test]
fn shells_take_the_completions() {
    let place = Place::new();

    let script = place.sealpost("completions bash").ok();
    place.write("completions", &script);

    let completed = place.script(
        "source completions; COMP_WORDS=(sealpost bac); COMP_CWORD=1; _sealpost sealpost bac sealpost; \
         echo \"${COMPREPLY[@]}\"",
    );
    assert_eq!(completed.trim(), "backup");
    for shell in ["zsh", "fish"] {
        assert!(place.sealpost(&format!("completions {shell}")).ok().contains("gateway-client"), "{shell}");
    }
}
