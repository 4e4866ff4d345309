use std::sync::Arc;

use super::*;
use crate::Headers;

const NO_TIME: Duration = Duration::ZERO;

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("t", number)
}

fn record(partition: i32, offset: i64) -> Delivered {
    let position = Position { topic: "t".into(), partition, offset };
    Delivered { position, timestamp_ms: 0, key: None, value: None, headers: Headers::new() }
}

fn records(partition: i32, offsets: std::ops::Range<i64>) -> VecDeque<Delivered> {
    offsets.map(|offset| record(partition, offset)).collect()
}

fn offsets(event: Event) -> Vec<i64> {
    match event {
        Event::Records(records) => records.iter().map(|record| record.position.offset).collect(),
        other => panic!("{other:?}"),
    }
}

/// Partitions 0 and 1 are ours, and the owner has heard of it.
async fn member() -> Arc<Membership> {
    let members = Arc::new(Membership::default());
    members.assign(&[partition(0), partition(1)]);
    members.announce(vec![partition(0), partition(1)]);
    assert!(matches!(members.next(1).await, Ok(Event::Assigned(_))));
    members
}

#[tokio::test]
async fn records_come_in_pieces_of_the_size_that_was_asked_for() {
    let members = member().await;

    members.deliver(records(0, 0..3));
    members.deliver(records(0, 3..5));

    assert_eq!(offsets(members.next(2).await.unwrap()), [0, 1]);
    assert_eq!(offsets(members.next(10).await.unwrap()), [2, 3, 4]);
}

#[tokio::test]
async fn revoked_partition_is_announced_after_its_unseen_records_are_dropped() {
    let members = member().await;
    members.deliver(records(0, 0..2));
    members.deliver(records(1, 7..9));

    members.revoke(&[partition(0)], NO_TIME);

    assert_eq!(offsets(members.next(10).await.unwrap()), [7, 8]);
    assert_eq!(members.next(10).await.unwrap(), Event::Revoked(vec![partition(0)]));
}

#[tokio::test]
async fn revocation_waits_until_the_owner_has_stored_what_it_drained() {
    let members = member().await;
    members.deliver(records(0, 0..3));
    members.next(10).await.unwrap();
    let thread = {
        let members = members.clone();
        std::thread::spawn(move || members.revoke(&[partition(0)], Duration::from_secs(30)))
    };

    assert_eq!(members.next(10).await.unwrap(), Event::Revoked(vec![partition(0)]));
    members.store(&[record(0, 2).position]);
    let answer = tokio::spawn(async move { members.next(10).await });

    let committed = tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    assert_eq!(committed, [(partition(0), 3)]);
    answer.abort();
}

#[tokio::test]
async fn late_store_has_no_effect_and_does_not_touch_a_later_ownership() {
    let members = member().await;
    members.deliver(records(0, 0..3));
    members.next(10).await.unwrap();
    members.revoke(&[partition(0)], NO_TIME);

    members.store(&[record(0, 2).position]);
    members.assign(&[partition(0)]);
    members.announce(vec![partition(0)]);
    members.store(&[record(0, 2).position]);
    members.deliver(records(0, 50..51));
    while !matches!(members.next(10).await, Ok(Event::Records(_))) {}
    members.store(&[record(0, 2).position]);
    assert_eq!(members.uncommitted(), []);

    members.store(&[record(0, 50).position]);
    assert_eq!(members.uncommitted(), [(partition(0), 51)]);
}

#[tokio::test]
async fn stored_offset_never_goes_back_and_is_committed_once() {
    let members = member().await;
    members.deliver(records(1, 0..5));
    members.next(10).await.unwrap();

    members.store(&[record(1, 4).position, record(1, 1).position]);
    let offsets = members.uncommitted();
    members.committed(&offsets);

    assert_eq!(offsets, [(partition(1), 5)]);
    assert_eq!(members.uncommitted(), []);
}

#[tokio::test]
async fn records_collected_before_a_revocation_do_not_follow_it() {
    let members = member().await;
    members.revoke(&[partition(0)], NO_TIME);

    members.deliver(records(0, 0..2));
    members.deliver(records(1, 0..1));

    assert!(matches!(members.next(10).await, Ok(Event::Revoked(_))));
    assert_eq!(offsets(members.next(10).await.unwrap()), [0]);
}

#[tokio::test]
async fn fetching_stops_at_the_high_mark_and_goes_on_at_the_low_one() {
    let members = member().await;
    members.set_paused(&[partition(1)], true);
    assert_eq!(members.flow(), Flow::Go);

    members.deliver(records(0, 0..HIGH as i64));
    assert_eq!(members.flow(), Flow::Stop(vec![partition(0)]));
    assert_eq!(members.flow(), Flow::Go);

    members.next(HIGH - LOW).await.unwrap();
    assert_eq!(members.flow(), Flow::Resume(vec![partition(0)]));
}

#[tokio::test]
async fn fetching_that_went_on_all_the_same_is_stopped_again() {
    let members = member().await;
    members.set_paused(&[partition(1)], true);
    members.deliver(records(0, 0..HIGH as i64));
    assert_eq!(members.flow(), Flow::Stop(vec![partition(0)]));

    members.deliver(records(0, HIGH as i64..2 * HIGH as i64));

    assert_eq!(members.flow(), Flow::Stop(vec![partition(0)]));
    members.next(2 * HIGH - LOW).await.unwrap();
    assert_eq!(members.flow(), Flow::Resume(vec![partition(0)]));
}

#[tokio::test]
async fn error_is_told_once_and_after_the_records_before_it() {
    let members = member().await;
    members.deliver(records(0, 0..1));
    members.fail(BusError::Timeout);

    assert_eq!(offsets(members.next(1).await.unwrap()), [0]);
    assert!(matches!(members.next(1).await, Err(BusError::Timeout)));
    members.end();
    assert!(matches!(members.next(1).await, Err(BusError::Closed)));
}
