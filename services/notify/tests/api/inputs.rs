//! What comes by Kafka: notifications of any producer, and wake-ups of mailboxes.

use std::collections::BTreeSet;

use bus::{Bus, BusSettings, Event, Record};
use common::models::events::{MailboxChange, MailboxEvent};
use common::models::{AccountId, Clock, DeviceId, SystemClock, UnixMillis};
use serde_json::{Value, json};
use testkit::database::{TestDb, administer};
use testkit::kafka;
use testkit::wait::wait_until;

use crate::harness::TestApp;

fn bus(brokers: &str) -> Bus {
    let settings: BusSettings = serde_json::from_value(json!({"kind": "kafka", "brokers": brokers})).unwrap();
    Bus::open(&settings, None).unwrap()
}

fn record(channel: &str, value: &Value, id: Option<&str>) -> Record {
    let record = Record::new("notify", channel, value.to_string());
    match id {
        Some(id) => record.header("message-id", id),
        None => record,
    }
}

testkit::on_both! {
    async fn records_are_published_once_and_poison_goes_to_the_dead_letters(test: TestDb) {
        let brokers = kafka::bootstrap().await;
        for topic in ["notify", "notify-dead", "mailbox-events"] {
            kafka::create_topic(brokers, topic, 4).await.unwrap();
        }
        let (prefix, channel) = (kafka::unique("notify"), kafka::unique("channel"));
        let more = [("bus.kind", "kafka"), ("bus.brokers", brokers), ("bus.group_prefix", &*prefix)];
        let app = TestApp::start_with(&test, &more).await;
        let mut socket = app.member(&channel).await;
        let bus = bus(brokers);
        let mut records: Vec<Record> =
            (1..=50).map(|number| record(&channel, &json!({"data": number}), None)).collect();
        records.push(record(&channel, &json!({"data": "keyed"}), Some("id-1")));
        records.push(record(&channel, &json!({"data": "keyed"}), Some("id-1")));
        records.push(record(&channel, &json!({"volatile": true}), None));
        records.push(record(&channel, &json!([1]), None));
        records.push(record(&channel, &json!({"data": "x".repeat(70_000)}), None));
        records.push(record("", &json!({"data": 1}), None));
        records.push(record(&channel, &json!({"data": "typing", "volatile": true, "more": 1}), None));
        records.push(record(&channel, &json!({"data": "last"}), None));

        bus.producer().send(records).await.unwrap();

        let mut seen = Vec::new();
        for _ in 0..53 {
            seen.push(socket.message().await);
        }
        // What is kept nowhere has no place in the order, and waits for nothing.
        let volatile: Vec<_> = seen.extract_if(.., |(offset, _)| *offset == 0).collect();
        assert_eq!(volatile, [(0, json!("typing"))]);
        let kept = (1..=50).map(|number| json!(number)).chain([json!("keyed"), json!("last")]);
        assert_eq!(seen, (1..).zip(kept).collect::<Vec<_>>());
        let mut dead = bus.consumer(&kafka::unique("dead"), &["notify-dead"]).unwrap();
        // The service of another test on this broker may have buried them too.
        let mut errors = BTreeSet::new();
        while errors.len() < 3 {
            if let Event::Records(records) = dead.next(100).await.unwrap() {
                let ours = records.iter().filter(|record| record.key.as_deref() == Some(channel.as_bytes()));
                errors.extend(ours.map(|record| {
                    let length = record.value.as_ref().map_or(0, Vec::len);
                    (record.headers.get_str("error").unwrap().to_owned(), length)
                }));
            }
        }
        let expected = [("not a notification", 3), ("not a notification", 17), ("too-large", 70_011)];
        assert!(errors.iter().map(|(error, length)| (error.as_str(), *length)).eq(expected), "{errors:?}");
        wait_until("offsets to be stored", || async {
            let group = format!("{prefix}notify-input");
            bus.lag(&group, "notify").await.unwrap().iter().all(|partition| partition.lag == 0)
        })
        .await;
        app.host.stop().await;

        let app = TestApp::start_with(&test, &more).await;
        assert_eq!(app.backend.publish(&channel, &json!("after a restart")).await, 53);
        app.host.stop().await;
    }

    async fn a_mailbox_that_has_something_wakes_the_channel_of_its_account(test: TestDb) {
        let brokers = kafka::bootstrap().await;
        kafka::create_topic(brokers, "mailbox-events", 4).await.unwrap();
        let prefix = kafka::unique("notify");
        let more = [("bus.kind", "kafka"), ("bus.brokers", brokers), ("bus.group_prefix", &*prefix)];
        let app = TestApp::start_with(&test, &more).await;
        let account = AccountId::new();
        let (token, _) = app.access_token(account).await;
        let mut socket = app.connect().await;
        socket.subscribe(&json!({"token": token})).await;
        let event = MailboxEvent {
            account_id: account,
            device_id: DeviceId::new(2).unwrap(),
            at: UnixMillis(7),
            change: MailboxChange::MessagesAvailable { urgent: true },
        };
        let record = Record::new(MailboxEvent::TOPIC, account.as_str(), serde_json::to_vec(&event).unwrap());

        bus(brokers).producer().send(vec![record.clone().header("message-id", "1"), record.header("message-id", "1")]).await.unwrap();

        let wake_up = json!({"type": "messages.available", "accountId": account, "deviceId": 2, "at": 7, "urgent": true});
        assert_eq!(socket.message().await, (1, wake_up));
        let now = SystemClock.now();
        app.nudge(&json!({"type": "account.deleted", "accountId": account, "at": now})).await;
        assert_eq!(socket.frame("ended").await["reason"], "revoked");
        let kept = app.backend.narrow().history(&format!("account:{account}"), "").await;
        assert_eq!(kept["messages"], json!([]));
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_nowhere_is_published_once_behind_a_record_that_has_to_wait() {
    let (test, brokers) = (TestDb::postgres().await, kafka::bootstrap().await);
    kafka::create_topic(brokers, "notify", 4).await.unwrap();
    let (prefix, channel) = (kafka::unique("notify"), kafka::unique("channel"));
    let more = [("bus.kind", "kafka"), ("bus.brokers", brokers), ("bus.group_prefix", &*prefix)];
    let app = TestApp::start_with(&test, &more).await;
    let mut socket = app.member(&channel).await;
    let url = &test.settings().url;
    // Of this channel alone: what other tests have in the topic comes here, too.
    let not_now = format!("ADD CONSTRAINT not_now CHECK (channel <> '{channel}')");
    administer(url, &format!("ALTER TABLE notify.notifications {not_now}")).unwrap();

    let typing = record(&channel, &json!({"data": "typing", "volatile": true}), None);
    let records = vec![record(&channel, &json!({"data": "kept"}), None), typing];
    bus(brokers).producer().send(records).await.unwrap();
    assert_eq!(socket.message().await, (0, json!("typing")));
    wait_until("tries", || async {
        app.metric("publications_total", r#"outcome="failed",service="notify""#).await >= 4
    })
    .await;
    administer(url, "ALTER TABLE notify.notifications DROP CONSTRAINT not_now").unwrap();

    assert_eq!(socket.message().await, (1, json!("kept")));
    socket.hears_nothing().await;
    app.host.stop().await;
}
