//! Topics and rights as `deploy/kafka` makes them, with the tools of Kafka, on a broker that lets nobody do more.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bus::{Bus, BusError, BusSettings, Record, SecuritySettings, topic_retention, topics};
use testkit::kafka::Kafka;
use testkit::process;

use crate::{PATIENCE, asked, settings};

const PASSWORD: &str = "a password of keystore at Kafka";

/// Runs `deploy/kafka/apply` on a broker, with those rows of its tables that have one of `words`: each row starts a Java.
/// The tools log in by nothing, where everybody may do everything.
fn apply(kafka: &Kafka, words: &[&str], more: &[&str]) -> String {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka");
    let folder = process::scratch("provisioning").unwrap();
    std::fs::copy(deploy.join("apply"), folder.path().join("apply")).unwrap();
    for table in ["topics", "acls"] {
        let all = std::fs::read_to_string(deploy.join(table)).unwrap();
        let mut rows: Vec<&str> = all.lines().collect();
        rows.retain(|row| words.iter().any(|word| row.split_whitespace().next() == Some(word)));
        std::fs::write(folder.path().join(table), rows.join("\n") + "\n").unwrap();
    }
    let mut command = Command::new(folder.path().join("apply"));
    command
        .env("KAFKA_BIN", kafka.tools().unwrap())
        .arg(kafka.bootstrap())
        .args(["--replicas", "1"])
        .args(more);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn tool(kafka: &Kafka, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(kafka.tools().unwrap().join(name));
    let output = command.args(["--bootstrap-server", kafka.bootstrap()]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The bus of a service that logs in as itself.
fn bus(kafka: &Kafka, security: SecuritySettings, delivery_timeout: Duration) -> Bus {
    let brokers = kafka.secured().bootstrap();
    Bus::open(&BusSettings { security, delivery_timeout, ..settings(&brokers) }, None).unwrap()
}

async fn send(bus: &Bus, topic: &str) -> Result<(), BusError> {
    bus.producer().send(vec![Record::new(topic, "key", "value")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_have_their_partitions_and_services_no_rights_but_their_own() {
    let kafka = Kafka::start_secured().await.unwrap();
    testkit::kafka::create_topic(kafka.bootstrap(), topics::NOTIFY, 4).await.unwrap();

    let words = [topics::ACCOUNT_EVENTS, topics::NOTIFY, topics::SMS_STATUS, "sealpost-keystore"];
    let said = apply(&kafka, &words, &["--acls"]);

    assert!(said.contains("account-events: made") && said.contains("notify: 4 partitions, now 12"), "{said}");
    let made = tool(&kafka, "kafka-topics.sh", &["--describe", "--topic", topics::NOTIFY]);
    assert!(made.contains("PartitionCount: 12") && made.contains("retention.ms=86400000"), "{made}");
    let plain = settings(kafka.bootstrap());
    let retention = asked(|| topic_retention(&plain, topics::ACCOUNT_EVENTS)).await;
    let month = Some(Duration::from_secs(30 * 24 * 3600));
    assert_eq!((retention.age, retention.cleanup.as_str()), (month, "delete"), "{retention:?}");
    let scram = format!("SCRAM-SHA-512=[password={PASSWORD}]");
    let user =
        ["--alter", "--entity-type", "users", "--entity-name", "sealpost-keystore", "--add-config", &scram];
    tool(&kafka, "kafka-configs.sh", &user);
    let rights = kafka.secured().security_of("sealpost-keystore", PASSWORD);
    let keystore = bus(&kafka, rights.clone(), PATIENCE);
    send(&keystore, topics::ACCOUNT_EVENTS).await.unwrap();
    let producer = keystore.producer();
    asked(|| producer.recent(topics::ACCOUNT_EVENTS, common::models::UnixMillis(0))).await;
    // Tried for as long as it may take.
    let impatient = bus(&kafka, rights, Duration::from_secs(5));
    assert!(
        send(&impatient, topics::SMS_STATUS).await.is_err(),
        "keystore may write what is none of its own"
    );
    let everything = bus(&kafka, kafka.secured().security(), PATIENCE);
    send(&everything, topics::SMS_STATUS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_told() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka/apply");
    let mut command = Command::new(script);

    let without_tools =
        process::complete("apply", command.arg("127.0.0.1:1").env("KAFKA_BIN", "/nonexistent"));

    assert!(without_tools.unwrap_err().to_string().contains("/nonexistent/kafka-topics.sh"));
}
