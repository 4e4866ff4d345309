//! Producing, and reading back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bus::{BusError, Fingerprint, Headers, Record};
use common::models::{Clock, SystemClock, UnixMillis};

use crate::rig::{Reader, Rig, asked, record, soon, text, texts};

pub(crate) async fn keys_values_and_headers_come_back_byte_for_byte(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let all_bytes: Vec<u8> = (0..=255).collect();
    let mut headers = Headers::new();
    headers.push("twice", Some(b"one".to_vec()));
    headers.push("twice", Some(all_bytes.clone()));
    headers.push("null", None);
    headers.push("empty", Some(Vec::new()));
    let written = [
        Record { topic: topic.clone(), key: Some(all_bytes.clone()), value: Some(all_bytes), headers },
        Record {
            topic: topic.clone(),
            key: Some(b"tombstone".to_vec()),
            value: None,
            headers: Headers::new(),
        },
        Record { topic: topic.clone(), key: None, value: Some(Vec::new()), headers: Headers::new() },
        Record {
            topic: topic.clone(),
            key: Some(Vec::new()),
            value: Some(b"x".to_vec()),
            headers: Headers::new(),
        },
    ];

    bus.producer().send(written.to_vec()).await.expect("durable");

    let read = Reader::new(&bus, &rig.name("group"), &topic).read(written.len()).await;
    for record in &written {
        let same = |r: &&bus::Delivered| {
            (&r.key, &r.value, &r.headers) == (&record.key, &record.value, &record.headers)
        };
        assert_eq!(read.iter().filter(same).count(), 1, "{record:?}");
    }
    assert!(read.iter().all(|record| record.timestamp_ms > 1_600_000_000_000));
}

pub(crate) async fn records_of_a_key_keep_their_order(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let producer = bus.producer();
    for round in 0..10 {
        let batch = (0..40).map(|n| record(&topic, &format!("key-{}", n % 8), &format!("{round}-{n:02}")));
        producer.send(batch.collect()).await.expect("durable");
    }

    let read = Reader::new(&bus, &rig.name("group"), &topic).read(400).await;

    let mut by_key: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut partitions: BTreeMap<_, BTreeSet<i32>> = BTreeMap::new();
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in &read {
        by_key.entry(record.key.clone()).or_default().push(text(record));
        partitions.entry(record.key.clone()).or_default().insert(record.position.partition);
        offsets.entry(record.position.partition).or_default().push(record.position.offset);
    }
    assert!(by_key.values().all(|values| values.is_sorted() && values.len() == 50));
    assert!(partitions.values().all(|of_key| of_key.len() == 1), "a key lives in one partition");
    assert!(offsets.len() > 1, "eight keys should not share one partition");
    for (partition, offsets) in offsets {
        let expected: Vec<i64> = (0..offsets.len() as i64).collect();
        assert_eq!(offsets, expected, "offsets of partition {partition} have no gap");
    }
}

pub(crate) async fn concurrent_producers_lose_nothing(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let (producer, topic) = (bus.producer(), topic.clone());
        tasks.spawn(async move {
            for n in 0..20 {
                producer
                    .send(vec![record(&topic, &format!("{task}"), &format!("{task}-{n}"))])
                    .await
                    .expect("durable");
            }
        });
    }
    soon("all producers", async {
        while tasks.join_next().await.transpose().expect("no panic").is_some() {}
    })
    .await;

    let read = Reader::new(&bus, &rig.name("group"), &topic).read(320).await;

    assert_eq!(texts(&read).into_iter().collect::<BTreeSet<_>>().len(), 320);
}

pub(crate) async fn a_record_too_large_is_refused(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let mut large = record(&topic, "k", "");
    large.value = Some(vec![7; 1024 * 1024 + 1]);

    let refused = bus.producer().send(vec![record(&topic, "k", "with it"), large]).await;

    assert!(matches!(refused, Err(BusError::TooLarge { size, .. }) if size > 1024 * 1024), "{refused:?}");
    bus.producer().send(vec![record(&topic, "k", "after it")]).await.expect("durable");
    let read = Reader::new(&bus, &rig.name("group"), &topic).read(1).await;
    assert_eq!(texts(&read), ["after it"]);
}

pub(crate) async fn new_group_begins_at_the_oldest_record(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    bus.producer()
        .send(vec![record(&topic, "k", "before"), record(&topic, "k", "it")])
        .await
        .expect("durable");

    let read = Reader::new(&bus, &rig.name("group"), &topic).read(2).await;

    assert_eq!(texts(&read), ["before", "it"]);
}

pub(crate) async fn waiting_consumer_is_woken_by_a_record(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let mut reader = Reader::new(&bus, &rig.name("group"), &topic);
    reader.own(4).await;
    let waiting = tokio::spawn(async move { reader.read(1).await });

    bus.producer().send(vec![record(&topic, "k", "wake")]).await.expect("durable");

    assert_eq!(texts(&soon("a record", waiting).await.expect("no panic")), ["wake"]);
}

pub(crate) async fn committed_offsets_survive_a_restart(mut rig: impl Rig) {
    let (topic, group) = (rig.topic().await, rig.name("group"));
    {
        let bus = rig.bus();
        let batch = (0..20).map(|n| record(&topic, &format!("{n}"), &format!("first-{n}"))).collect();
        bus.producer().send(batch).await.expect("durable");
        let mut reader = Reader::new(&bus, &group, &topic);
        let read = reader.read(20).await;
        reader.commit(&read).await;
        bus.producer().send(vec![record(&topic, "k", "second")]).await.expect("durable");
    }

    rig.restart().await;

    let read = Reader::new(&rig.bus(), &group, &topic).read(1).await;
    assert_eq!(texts(&read), ["second"]);
}

pub(crate) async fn uncommitted_records_are_delivered_again(mut rig: impl Rig) {
    let (topic, group) = (rig.topic().await, rig.name("group"));
    {
        let bus = rig.bus();
        let batch = ["1", "2", "3"].map(|n| record(&topic, "k", n));
        bus.producer().send(batch.to_vec()).await.expect("durable");
        let mut reader = Reader::new(&bus, &group, &topic);
        let read = reader.read(3).await;
        reader.commit(&read[..1]).await;
    }

    rig.restart().await;

    let read = Reader::new(&rig.bus(), &group, &topic).read(2).await;
    assert_eq!(texts(&read), ["2", "3"]);
}

pub(crate) async fn lag_counts_what_is_not_committed(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let batch = (0..30).map(|n| record(&topic, "one key", &format!("{n}"))).collect();
    bus.producer().send(batch).await.expect("durable");
    let total = async |bus: &bus::Bus| {
        let lag = asked("lag", || bus.lag(&group, &topic)).await;
        assert_eq!(lag.len(), 4, "every partition is listed");
        lag.iter().map(|partition| partition.lag).sum::<i64>()
    };
    assert_eq!(total(&bus).await, 30, "a group that never committed lags by everything");

    let mut reader = Reader::new(&bus, &group, &topic);
    let read = reader.read(30).await;
    reader.commit(&read[..12]).await;

    assert_eq!(total(&bus).await, 18);
}

pub(crate) async fn recent_records_are_told_byte_for_byte_and_as_often_as_they_are_there(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let (producer, start) = (bus.producer(), SystemClock.now());
    let mut odd = record(&topic, "key", "value").header("trace", "1").header("trace", "2");
    odd.headers.push("null", None);
    odd.headers.push("empty", Some(Vec::new()));
    let bare = Record { key: None, value: None, ..record(&topic, "", "") };
    let mut batch = vec![odd.clone(), bare.clone(), odd.clone()];
    batch.extend((0..500).map(|n| record(&topic, &format!("key-{n}"), "value")));

    assert_eq!(asked("none", || producer.recent(&topic, UnixMillis(0))).await, []);
    producer.send(batch.clone()).await.expect("durable");

    let mut found = asked("all", || producer.recent(&topic, start)).await;
    for sent in &batch {
        let at = found.iter().position(|one| *one == Fingerprint::of(sent));
        found.swap_remove(at.expect("what was sent is there"));
    }
    assert_eq!(found, []);
    let later = start + Duration::from_secs(3600);
    assert_eq!(asked("none since", || producer.recent(&topic, later)).await, []);
}

pub(crate) async fn recent_records_of_a_topic_that_does_not_exist_are_none(rig: impl Rig) {
    let (producer, topic) = (rig.bus().producer(), rig.name("nowhere"));

    let found = asked("an answer", || producer.recent(&topic, UnixMillis(0))).await;

    assert_eq!(found, []);
}
