use proptest::prelude::*;

use super::*;
use crate::Headers;

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn position(partition: i32, offset: i64) -> Position {
    Position { topic: "t".into(), partition, offset }
}

fn delivered(partition: i32, offset: i64) -> Delivered {
    let position = position(partition, offset);
    Delivered { position, timestamp_ms: 0, key: None, value: None, headers: Headers::new() }
}

fn offsets(batch: &[Delivered]) -> Vec<(i32, i64)> {
    batch.iter().map(|record| (record.position.partition, record.position.offset)).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn records_behind_a_retry_wait_and_other_partitions_go_on() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(vec![delivered(0, 5), delivered(0, 6), delivered(1, 9)]);
    let batch = lanes.take(now, 10);
    let retry = Verdict::Retry { after: SECOND };

    let moved = lanes.settle(batch, vec![retry, Verdict::Unreached, Verdict::Done], now);
    lanes.push(vec![delivered(0, 7), delivered(1, 10)]);

    assert_eq!(moved, Moved { done: vec![position(1, 9)], blocked: vec![at(0)], freed: vec![] });
    assert_eq!(offsets(&lanes.take(now, 10)), [(1, 10)]);
    assert_eq!(lanes.next_wake(), Some(now + SECOND));
    assert_eq!(offsets(&lanes.take(now + SECOND, 10)), [(0, 5), (0, 6), (0, 7)]);
}

#[test]
fn offset_waits_for_the_retry_before_it_and_done_records_are_not_handed_out_again() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(vec![delivered(0, 1), delivered(0, 2), delivered(0, 4)]);
    let batch = lanes.take(now, 10);
    let verdicts = vec![Verdict::Retry { after: SECOND }, Verdict::Done, Verdict::Unreached];
    assert_eq!(lanes.settle(batch, verdicts, now).done, []);

    let again = lanes.take(now + SECOND, 10);
    assert_eq!(offsets(&again), [(0, 1), (0, 4)]);
    assert_eq!(lanes.tries(&position(0, 1)), 1);
    assert_eq!(lanes.tries(&position(0, 4)), 0);

    let moved = lanes.settle(again, vec![Verdict::Dead, Verdict::Done], now);
    assert_eq!(moved, Moved { done: vec![position(0, 4)], blocked: vec![], freed: vec![at(0)] });
}

#[test]
fn after_a_panic_records_come_one_at_a_time_until_the_first_is_done() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(vec![delivered(0, 1), delivered(0, 2), delivered(1, 1)]);
    let batch = lanes.take(now, 10);
    let retry = Verdict::Retry { after: Duration::ZERO };
    let moved = lanes.settle(batch, vec![retry; 3], now);
    lanes.note_panic(&moved.blocked);

    let single = lanes.take(now, 10);
    assert_eq!(offsets(&single), [(0, 1)]);
    lanes.settle(single, vec![Verdict::Done], now);

    let next = lanes.take(now, 10);
    assert_eq!(offsets(&next), [(1, 1)]);
    lanes.settle(next, vec![Verdict::Done], now);
    assert_eq!(offsets(&lanes.take(now, 10)), [(0, 2)]);
}

#[test]
fn panics_count_in_a_row_only() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(vec![delivered(0, 1), delivered(0, 2)]);
    let mut retry = |panicked: bool| {
        let batch = lanes.take(now, 10);
        let verdicts = vec![Verdict::Retry { after: Duration::ZERO }; batch.len()];
        let moved = lanes.settle(batch, verdicts, now);
        match panicked {
            true => lanes.note_panic(&moved.blocked),
            false => lanes.note_answer(&moved.blocked),
        }
        lanes.panics(&position(0, 1))
    };

    let counts = [true, true, true, false, true, false, false].map(&mut retry);

    assert_eq!(counts, [1, 2, 3, 1, 2, 1, 1]);
    assert_eq!(offsets(&lanes.take(now, 10)), [(0, 1)]);
}

#[test]
fn verdicts_on_a_partition_that_was_taken_away_come_to_nothing() {
    let (mut lanes, now) = (Lanes::default(), Instant::now());
    lanes.push(vec![delivered(0, 1)]);
    let batch = lanes.take(now, 10);

    lanes.forget(&[at(0)]);

    assert_eq!(lanes.settle(batch, vec![Verdict::Done], now), Moved::default());
    assert_eq!(lanes.next_wake(), None);
}

proptest! {
    /// Whatever the handler answers, offsets are stored in order, none before everything up to it is done, and in
    /// the end all are.
    #[test]
    fn only_contiguous_offsets_are_stored(answers in prop::collection::vec(0_u8..4, 0..200), max in 1_usize..8) {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        lanes.push((0..3).flat_map(|partition| (0..10).map(move |offset| delivered(partition, offset))).collect());
        let (mut answers, mut done, mut stored) = (answers.into_iter(), BTreeSet::new(), [-1_i64; 3]);

        while lanes.next_wake().is_some() {
            let batch = lanes.take(now, max);
            let mut last: BTreeMap<i32, i64> = BTreeMap::new();
            let verdicts: Vec<Verdict> = batch
                .iter()
                .map(|_| match answers.next() {
                    Some(0) => Verdict::Retry { after: SECOND },
                    Some(1) => Verdict::Unreached,
                    Some(2) => Verdict::Dead,
                    _ => Verdict::Done,
                })
                .collect();
            for (record, verdict) in batch.iter().zip(&verdicts) {
                let at = (record.position.partition, record.position.offset);
                prop_assert!(!done.contains(&at), "handed out again after it was done");
                prop_assert!(last.insert(at.0, at.1).is_none_or(|before| before < at.1), "out of order");
                if matches!(verdict, Verdict::Done | Verdict::Dead) {
                    done.insert(at);
                }
            }
            for position in lanes.settle(batch, verdicts, now).done {
                let before = &mut stored[position.partition as usize];
                prop_assert!(position.offset > *before);
                *before = position.offset;
                prop_assert!((0..=position.offset).all(|offset| done.contains(&(position.partition, offset))));
            }
            now += SECOND;
        }
        prop_assert_eq!(stored, [9; 3]);
    }
}
