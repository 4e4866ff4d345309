//! Consumer groups: sharing, taking over, draining.

use std::collections::BTreeSet;

use bus::{Event, TopicPartition};

use crate::rig::{Reader, Rig, record, soon, texts};

/// Enough keys that every partition of four has records.
fn spread(topic: &str, count: usize) -> Vec<bus::Record> {
    (0..count).map(|n| record(topic, &format!("key-{n}"), &format!("{n}"))).collect()
}

pub(crate) async fn groups_are_independent(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    bus.producer().send(spread(&topic, 20)).await.expect("durable");
    let mut first = Reader::new(&bus, &rig.name("one"), &topic);
    let read = first.read(20).await;
    first.commit(&read).await;

    let again = Reader::new(&bus, &rig.name("two"), &topic).read(20).await;

    assert_eq!(
        texts(&read).into_iter().collect::<BTreeSet<_>>(),
        texts(&again).into_iter().collect::<BTreeSet<_>>()
    );
}

/// Lets `one` have all partitions, then `two` join, until both have two.
async fn share(one: &mut Reader, two: &mut Reader) {
    one.own(4).await;
    // Both go on until then: what `one` has to give is given with its next call.
    soon("two shares", async {
        while one.owned.len() != 2 || two.owned.len() != 2 {
            tokio::select! {
                _ = one.event() => {}
                _ = two.event() => {}
            }
        }
    })
    .await;
}

pub(crate) async fn two_members_share_the_partitions(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let (mut one, mut two) = (Reader::new(&bus, &group, &topic), Reader::new(&bus, &group, &topic));
    share(&mut one, &mut two).await;
    let owned: BTreeSet<TopicPartition> = one.owned.iter().chain(&two.owned).cloned().collect();
    assert_eq!(owned.len(), 4);

    bus.producer().send(spread(&topic, 40)).await.expect("durable");
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let (mine, event) = soon("records", async {
            tokio::select! {
                event = one.event() => (true, event),
                event = two.event() => (false, event),
            }
        })
        .await;
        let Event::Records(records) = event else { panic!("no rebalance was due: {event:?}") };
        let owner = if mine { &one } else { &two };
        assert!(records.iter().all(|record| owner.owned.contains(&record.position.topic_partition())));
        seen.extend(records);
    }

    assert_eq!(texts(&seen).into_iter().collect::<BTreeSet<_>>().len(), 40, "nothing twice, nothing lost");
}

pub(crate) async fn partitions_of_a_dropped_member_are_taken_over(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let (mut one, mut two) = (Reader::new(&bus, &group, &topic), Reader::new(&bus, &group, &topic));
    share(&mut one, &mut two).await;
    bus.producer().send(spread(&topic, 40)).await.expect("durable");

    drop(one);

    let mut seen = two.own(4).await;
    while seen.len() < 40 {
        if let Event::Records(more) = two.event().await {
            seen.extend(more);
        }
    }
    assert_eq!(texts(&seen).into_iter().collect::<BTreeSet<_>>().len(), 40);
}

pub(crate) async fn revoked_partition_is_drained_before_it_is_assigned(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    bus.producer().send(spread(&topic, 40)).await.expect("durable");
    let mut one = Reader::new(&bus, &group, &topic);
    let in_flight = one.read(40).await;

    let mut two = Reader::new(&bus, &group, &topic);
    let (newcomer_owns, mut owns) = tokio::sync::oneshot::channel();
    let newcomer = tokio::spawn(async move {
        let early = two.own(2).await;
        let _ = newcomer_owns.send(());
        (two, early)
    });
    while one.owned.len() != 2 {
        assert!(owns.try_recv().is_err(), "assigned before it was drained");
        // The event was the notice; until the next call the partitions are still ours.
        one.event().await;
    }
    assert!(owns.try_recv().is_err(), "assigned before it was drained");
    one.consumer.store(&in_flight.iter().map(|record| record.position.clone()).collect::<Vec<_>>());
    let answer = tokio::spawn(async move { one.event().await });
    let (mut two, early) = soon("the newcomer's partitions", newcomer).await.expect("no panic");
    answer.abort();

    bus.producer().send(spread(&topic, 40)).await.expect("durable");
    let mut seen = early;
    while seen.is_empty() {
        if let Event::Records(more) = two.event().await {
            seen.extend(more);
        }
    }
    let drained = |record: &bus::Delivered| in_flight.iter().any(|old| old.position == record.position);
    assert!(!seen.iter().any(drained), "what was stored while draining is not delivered again");
}

pub(crate) async fn silent_member_loses_its_partition_at_the_drain_deadline(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    bus.producer().send(spread(&topic, 40)).await.expect("durable");
    let mut stuck = Reader::new(&bus, &group, &topic);
    let in_flight = stuck.read(40).await;
    let begun = tokio::time::Instant::now();

    // `stuck` never calls `next` again, and yet the newcomer gets its share.
    let mut two = Reader::new(&bus, &group, &topic);
    let mut seen = two.own(2).await;

    assert!(begun.elapsed() >= rig.drain_deadline(), "its time was not up");
    let given: BTreeSet<_> = two.owned.iter().cloned().collect();
    // The late outcome comes to nothing: the records belong to the newcomer now.
    stuck.consumer.store(&in_flight.iter().map(|record| record.position.clone()).collect::<Vec<_>>());
    let expected = in_flight.iter().filter(|r| given.contains(&r.position.topic_partition())).count();
    while seen.len() < expected {
        if let Event::Records(more) = two.event().await {
            seen.extend(more);
        }
    }
    assert!(matches!(stuck.event().await, Event::Revoked(_)), "it is told in the end");
}

pub(crate) async fn closing_commits_what_is_stored(mut rig: impl Rig) {
    let (topic, group) = (rig.topic().await, rig.name("group"));
    {
        let bus = rig.bus();
        bus.producer()
            .send(vec![record(&topic, "k", "done"), record(&topic, "k", "left")])
            .await
            .expect("durable");
        let mut reader = Reader::new(&bus, &group, &topic);
        let read = reader.read(2).await;
        reader.consumer.store(&[read[0].position.clone()]);
        soon("close", reader.consumer.close()).await.expect("close");
    }

    rig.restart().await;

    let read = Reader::new(&rig.bus(), &group, &topic).read(1).await;
    assert_eq!(texts(&read), ["left"]);
}

pub(crate) async fn paused_partition_waits_and_others_go_on(rig: impl Rig) {
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let mut reader = Reader::new(&bus, &rig.name("group"), &topic);
    reader.own(4).await;
    let paused = TopicPartition::new(topic.as_str(), 0);
    reader.consumer.pause(std::slice::from_ref(&paused));
    bus.producer().send(spread(&topic, 40)).await.expect("durable");
    let here = |record: &bus::Delivered| record.position.topic_partition() == paused;

    // Which partition a key goes to is the bus's affair: a second group counts.
    let all = Reader::new(&bus, &rig.name("count"), &topic).read(40).await;
    let held_back = all.iter().filter(|record| here(record)).count();
    let others = reader.read(40 - held_back).await;
    assert!(held_back > 0 && !others.iter().any(here));

    reader.consumer.resume(std::slice::from_ref(&paused));
    let rest = reader.read(held_back).await;
    assert!(rest.iter().all(here));
}
