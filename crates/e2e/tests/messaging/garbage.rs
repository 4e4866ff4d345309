//! Junk on `account-events`: it goes to the dead letters, or is skipped, and what follows it is done.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bus::{Bus, BusError, BusKind, BusSettings, Event, Record, topics};
use common::models::AccountId;
use serde_json::json;
use testkit::database::TestDb;
use testkit::host::{HostSettings, TestHost};
use testkit::kafka::Kafka;
use testkit::wait::{wait_for, wait_until};
use tokio::time::{Instant, timeout};

use crate::bus_outage::OnKafka;
use crate::harness::{Front, Seeded, all_three, rows_of, signing_key};
use crate::people::Person;

const DEAD_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_on_kafka_stops_no_consumer() {
    let kafka = Kafka::start().await.unwrap();
    let databases = [TestDb::sqlite().await, TestDb::sqlite().await, TestDb::sqlite().await];
    let services = OnKafka::start(&kafka, databases).await;
    let (bob, _) = Person::with_device(&services.front).await;
    let brokers = kafka.bootstrap().to_owned();
    let settings = BusSettings { kind: BusKind::Kafka, brokers, ..BusSettings::default() };
    let bus = Bus::open(&settings, None).unwrap();

    let malformed = put_junk(&bus, &bob).await;
    bob.delete().await;

    services.erased(&bob).await;
    assert_eq!(dead_letters(&bus, malformed.len()).await, malformed);
    for host in [&services.auth, &services.keystore, &services.mailbox] {
        assert!(host.is_ready().await);
    }
}

testkit::on_both! {
    async fn junk_in_the_embedded_log_stops_no_consumer(db: TestDb) {
        let (folder, key) = (tempfile::tempdir().unwrap(), signing_key());
        let start = async || {
            let more = [("auth.signing_key", &*key), ("limits.enabled", "false")];
            let data_dir = Some(folder.path().to_owned());
            let settings = HostSettings { more: &more, data_dir, ..HostSettings::default() };
            TestHost::start_all(all_three(), &db, settings).await
        };
        let host = start().await;
        let (mut bob, _) = Person::with_device(&Front::one(&host.url)).await;
        host.stop().await;
        let malformed = put_junk(&open(folder.path()).await, &bob).await;

        let host = start().await;
        bob.front = Front::one(&host.url);
        bob.delete().await;

        for service in ["keystore", "mailbox"] {
            let tables = host.database(service);
            wait_until("an erased account", || async { rows_of(&tables, bob.account).await.is_empty() }).await;
        }
        let metrics = || async { host.internal.get("/metrics").await.expect(200).text() };
        wait_until("every service to give the junk up", || async {
            count_dead(&metrics().await) >= 3 * malformed.len()
        })
        .await;
        host.stop().await;
        assert_eq!(dead_letters(&open(folder.path()).await, malformed.len()).await, malformed);
    }
}

/// Opens the log that a service had; the last of its threads lets go of it a moment after the service has stopped.
async fn open(folder: &Path) -> Bus {
    wait_for("a log that nobody else has open", || async {
        match Bus::open(&BusSettings::default(), Some(folder)) {
            Err(BusError::Locked { .. }) => None,
            opened => Some(opened.unwrap()),
        }
    })
    .await
}

/// Produces what no release writes, and what a later one might; returns the values that nobody can read.
async fn put_junk(bus: &Bus, bob: &Person) -> BTreeSet<Vec<u8>> {
    let mut luck = Seeded::new(77);
    let account = bob.account;
    let mut malformed: BTreeSet<Vec<u8>> =
        (0..40).map(|_| (0..=luck.below(300)).map(|_| luck.below(256) as u8).collect()).collect();
    let wrong = [
        json!(null),
        json!([]),
        json!("account.deleted"),
        json!({}),
        json!({"type": 7, "accountId": account, "at": 1}),
        json!({"type": "account.deleted"}),
        json!({"type": "account.deleted", "accountId": "../../etc", "at": 1}),
        json!({"type": "account.deleted", "accountId": account, "at": "yesterday"}),
        json!({"type": "device.removed", "accountId": account, "at": 1, "deviceId": 999, "generation": account}),
        json!({"type": "session.revoked", "accountId": account, "at": 1, "sessionId": {"$ne": null}}),
        json!({"type": "keys.low", "accountId": account, "at": 1, "deviceId": 1, "kind": "rsa", "remaining": -1}),
    ];
    malformed.extend(wrong.iter().map(|value| value.to_string().into_bytes()));
    malformed.insert(vec![b'['; 100_000]);
    let unknown = json!({"type": "account.renamed", "accountId": account, "at": 1, "name": "robert"});
    let elsewhere = json!({"type": "account.deleted", "accountId": AccountId::new(), "at": 1, "extra": [1]});
    let skipped = [unknown, elsewhere].map(|value| value.to_string().into_bytes());

    let values = malformed.iter().cloned().chain(skipped);
    let records = values.enumerate().map(|(number, value)| {
        // On the partition of the account that is deleted afterwards, and on others.
        let key = if number % 2 == 0 { account.to_string().into_bytes() } else { vec![0xff, number as u8] };
        Record::new(topics::ACCOUNT_EVENTS, key, value)
    });
    bus.producer().send(records.collect()).await.unwrap();
    malformed
}

/// The first `count` different values among the dead letters of `account-events`.
async fn dead_letters(bus: &Bus, count: usize) -> BTreeSet<Vec<u8>> {
    let topic = topics::dead_letters_of(topics::ACCOUNT_EVENTS);
    let mut consumer = bus.consumer("readers-of-the-dead", &[&topic]).unwrap();
    let (mut values, end) = (BTreeSet::new(), Instant::now() + DEAD_WITHIN);
    while values.len() < count && Instant::now() < end {
        // Errors pass: the topic may not be there yet.
        if let Ok(Ok(Event::Records(records))) = timeout(Duration::from_secs(1), consumer.next(100)).await {
            values.extend(records.into_iter().filter_map(|record| record.value));
        }
    }
    values
}

/// How many dead letters the services of a process have written, by their metrics.
fn count_dead(metrics: &str) -> usize {
    let series = metrics.lines().filter(|line| line.starts_with("bus_worker_dead_total"));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map(|count| count as usize).sum()
}
