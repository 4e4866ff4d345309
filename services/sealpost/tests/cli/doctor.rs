//! `doctor` on installations that are well, and on some that are not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use testkit::database::TestDb;
use testkit::process::ports;
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
    for check in [
        "disk",
        "version of OpenSSL",
        "files",
        "settings",
        "key demo",
        "database auth",
        "outbox mailbox",
        "bus",
        "live",
    ] {
        assert_eq!(about(&ended, check).len(), 1, "{check}");
    }
    assert!(lines.stdout.contains("warning  smsc: none is configured"), "{lines:?}");
    for name in ["admin-token", "internal-token", "sms-vault-password", "auth-data-key"] {
        assert!(!ended.stdout.contains(&server.secret(name)), "{name} is shown");
    }
}

#[test]
fn a_verdict_and_a_migration_do_not_depend_on_a_reader() {
    let place = Place::new();

    let verdict = place.sealpost_unread("doctor --data-dir nowhere");
    let migration = place.sealpost_unread("migrate --data-dir data");
    let again = place.sealpost("migrate --data-dir data");

    assert_eq!(verdict.code, Some(2), "{verdict:?}");
    assert_eq!(migration.code, Some(0), "{migration:?}");
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
}

#[tokio::test]
async fn each_fault_is_told_by_its_place() {
    let place = Place::new();
    Standalone::start(&place, "").await.stop().await;
    place.write(
        "settings.toml",
        &format!(
            "[mailbox]\nttll = \"1s\"\n[live]\nurl = \"amqp://u:s3cret@127.0.0.1:{0}/\"\n\
             [[sms_gateway.smsc]]\nname = \"far\"\nhost = \"127.0.0.1\"\nport = {0}\n",
            ports::free()
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
    assert_eq!(about(&after, "version of PostgreSQL")[0].0, "ok");
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
    let found = about(&ended, &format!("topic {there}"));
    assert!(found[0].0 == "warning" && found[0].1.starts_with("3 partitions, kept for 7days: "), "{found:?}");
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

#[tokio::test]
async fn an_smsc_is_bound_to_only_when_that_is_asked_for() {
    let place = Place::new();
    place.write("password", "hunter2");
    let smsc = place.start("smsc --listen 127.0.0.1:0 --system-id acme --password-file password");
    let line = smsc.line("ready smpp=127.0.0.1:").await;
    let port = line.rsplit_once(':').expect("a port").1;
    let settings = |password: &str| {
        format!(
            "[[sms_gateway.smsc]]\nname = \"one\"\nport = {port}\nsystem_id = \"acme\"\npassword = \"{password}\"\n"
        )
    };
    let doctor = |options: &str| {
        about(
            &place.sealpost(&format!("doctor --json --data-dir none --config s.toml {options}")),
            "smsc one",
        )
    };

    place.write("s.toml", &settings("hunter2"));
    let (reached, bound) = (doctor(""), doctor("--bind"));
    place.write("s.toml", &settings("wrong"));
    let (still, refused) = (doctor(""), doctor("--bind"));

    assert!(reached[0].0 == "ok" && reached[0].1.contains("TCP, in the clear"), "{reached:?}");
    assert!(bound[0].0 == "ok" && bound[0].1.contains("bound as transceiver"), "{bound:?}");
    assert_eq!(still[0].0, "ok", "without a bind nobody asks for the password: {still:?}");
    assert!(refused[0].0 == "failed" && refused[0].1.contains("refused with"), "{refused:?}");
    assert!(!smsc.stdout().contains("accepted"), "a message was sent");
}

#[tokio::test]
async fn relays_broker_its_publisher_and_providers_are_looked_for() {
    let (place, vhost) = (Place::new(), rabbitmq::vhost().await);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let free = ports::free();
    let there = listener.local_addr().expect("an address");
    place.write(
        "settings.toml",
        &format!(
            "[internal]\ntoken = \"a token of the operator\"\n\
             [relay]\namqp_url = \"{}\"\npublisher = \"http://{there}/hunter2\"\n\
             [[sms_gateway.wasp]]\nname = \"w\"\nurls = [\"http://127.0.0.1:{free}/hunter2\"]\n\
             [[sms_gateway.http]]\nname = \"h\"\nurl = \"http://{there}/hunter2?to={{to}}\"\n",
            vhost.url()
        ),
    );

    let ended = place.sealpost("doctor --json --data-dir none --config settings.toml");

    for (check, state) in
        [("relay", "ok"), ("publisher", "ok"), ("provider w", "failed"), ("provider h", "ok")]
    {
        let found = about(&ended, check);
        assert_eq!(found.first().map(|(state, _)| state.as_str()), Some(state), "{check}: {ended:?}");
    }
    assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
}

#[test]
fn a_file_with_a_secret_that_everybody_may_read_is_told() {
    let place = Place::new();
    place.write("token", "a token of the operator");
    place
        .write("settings.toml", "[internal]\ntoken_file = \"token\"\n[bus.security]\nca_file = \"public\"\n");
    place.write("public", "");
    let mode = |name: &str, mode| {
        std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    ["token", "public", "settings.toml"].iter().for_each(|name| mode(name, 0o644));
    mode("settings.toml", 0o640);

    let open = about(&place.sealpost("doctor --json --data-dir none --config settings.toml"), "files");
    mode("token", 0o640);
    let closed = about(&place.sealpost("doctor --json --data-dir none --config settings.toml"), "files");

    let told =
        |found: &[(String, String)]| found.iter().filter(|(_, says)| says.contains("everybody")).count();
    assert_eq!((told(&open), told(&closed)), (1, 0), "{open:?}");

    mode("settings.toml", 0o644);
    let settings = place.sealpost("doctor --json --data-dir none --config settings.toml");
    assert_eq!(told(&about(&settings, "files")), 1, "{settings:?}");
    // Where a unit of systemd reads it as everybody does, another mode alone would stop that.
    assert!(settings.stdout.contains("/etc/sealpost/environment"), "{settings:?}");
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
fn each_command_has_a_manual_page() {
    let place = Place::new();

    place.sealpost("man --to man/man1").ok();

    let page = |name: &str| std::fs::read_to_string(place.path("man/man1").join(name)).expect("a page");
    assert!(page("sealpost.1").contains(".TH sealpost 1"), "{}", page("sealpost.1"));
    assert!(page("sealpost-doctor.1").contains("\\-\\-explain"), "{}", page("sealpost-doctor.1"));
    assert!(page("sealpost-sms-send.1").contains(".SH OPTIONS"));
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
