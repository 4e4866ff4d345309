//! What was delivered and is not done with, partition by partition. No I/O; time comes in.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Delivered, Position, TopicPartition};

/// What the loop decided on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// Done with, in the dead-letter topic.
    Dead,
    Retry {
        after: Duration,
    },
    /// The handler did not come to it.
    Unreached,
}

/// What a batch changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// The last of the records at the head of each partition that are done with.
    pub(super) done: Vec<Position>,
    /// Partitions that wait from now on.
    pub(super) blocked: Vec<TopicPartition>,
    /// Partitions that had waited and go on.
    pub(super) freed: Vec<TopicPartition>,
}

#[derive(Debug)]
enum Entry {
    Pending(Delivered),
    InFlight,
    Done,
}

/// One partition.
#[derive(Debug, Default)]
struct Lane {
    entries: BTreeMap<i64, Entry>,
    /// Set while a record is to be tried again: which one, how often it was tried, and when it is its turn.
    retry: Option<Retry>,
    /// Panics at its first record. After one, records come one at a time, so that the culprit harms no other.
    panics: u32,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    offset: i64,
    tries: u32,
    at: Instant,
}

impl Lane {
    fn ready(&self, now: Instant) -> bool {
        self.retry.is_none_or(|retry| retry.at <= now) && self.has_pending()
    }

    fn has_pending(&self) -> bool {
        self.entries.values().any(|entry| matches!(entry, Entry::Pending(_)))
    }

    fn take(&mut self, max: usize) -> impl Iterator<Item = Delivered> {
        let pending = self.entries.values_mut().filter(|entry| matches!(entry, Entry::Pending(_)));
        pending.take(max).filter_map(|entry| match std::mem::replace(entry, Entry::InFlight) {
            Entry::Pending(record) => Some(record),
            Entry::InFlight | Entry::Done => None,
        })
    }

    /// Drops what is done with at the head; tells the last offset of it.
    fn advance(&mut self) -> Option<i64> {
        let mut last = None;
        while let Some(head) = self.entries.first_entry().filter(|head| matches!(head.get(), Entry::Done)) {
            last = Some(*head.key());
            head.remove();
        }
        last
    }
}

/// All partitions with records that are not done with.
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<TopicPartition, Lane>);

impl Lanes {
    /// Adds delivered records.
    pub(super) fn push(&mut self, records: Vec<Delivered>) {
        for record in records {
            let lane = self.0.entry(record.position.topic_partition()).or_default();
            lane.entries.insert(record.position.offset, Entry::Pending(record));
        }
    }

    /// Forgets partitions, and whatever was to be done with them.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        self.0.retain(|at, _| !partitions.contains(at));
    }

    /// Takes the next batch: at most `max` records, in order within each partition.
    pub(super) fn take(&mut self, now: Instant, max: usize) -> Vec<Delivered> {
        let mut batch = Vec::new();
        if let Some(lane) = self.0.values_mut().find(|lane| lane.panics > 0 && lane.ready(now)) {
            batch.extend(lane.take(1));
            return batch;
        }
        for lane in self.0.values_mut().filter(|lane| lane.ready(now)) {
            batch.extend(lane.take(max - batch.len()));
        }
        batch
    }

    /// When there is something to take; in the past when there is now.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let lanes = self.0.values().filter(|lane| lane.has_pending());
        lanes.map(|lane| lane.retry.map_or_else(Instant::now, |retry| retry.at)).min()
    }

    /// How often this record was tried before.
    pub(super) fn tries(&self, position: &Position) -> u32 {
        let retry = self.0.get(&position.topic_partition()).and_then(|lane| lane.retry);
        retry.filter(|retry| retry.offset == position.offset).map_or(0, |retry| retry.tries)
    }

    /// How often the handler panicked at this record, if it is the one that its partition waits for.
    pub(super) fn panics(&self, position: &Position) -> u32 {
        let lane = self.0.get(&position.topic_partition());
        let waits = |lane: &&Lane| lane.retry.is_some_and(|retry| retry.offset == position.offset);
        lane.filter(waits).map_or(0, |lane| lane.panics)
    }

    /// Hands out one record at a time from these partitions, until they wait no more.
    pub(super) fn note_panic(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            if let Some(lane) = self.0.get_mut(at) {
                lane.panics = lane.panics.saturating_add(1);
            }
        }
    }

    /// What these partitions wait for was answered: the panics at it so far were not in a row. It goes on alone.
    pub(super) fn note_answer(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            if let Some(lane) = self.0.get_mut(at) {
                lane.panics = lane.panics.min(1);
            }
        }
    }

    /// Enters the verdicts on a batch that [`Lanes::take`] gave.
    pub(super) fn settle(&mut self, batch: Vec<Delivered>, verdicts: Vec<Verdict>, now: Instant) -> Moved {
        let mut moved = Moved::default();
        let mut touched = BTreeSet::new();
        for (record, verdict) in batch.into_iter().zip(verdicts) {
            let at = record.position.topic_partition();
            let Some(lane) = self.0.get_mut(&at) else { continue };
            let offset = record.position.offset;
            touched.insert(at.clone());
            match verdict {
                Verdict::Done | Verdict::Dead => {
                    lane.entries.insert(offset, Entry::Done);
                    if lane.retry.is_some_and(|retry| retry.offset == offset) {
                        (lane.retry, lane.panics) = (None, 0);
                        moved.freed.push(at);
                    }
                }
                Verdict::Unreached => drop(lane.entries.insert(offset, Entry::Pending(record))),
                Verdict::Retry { after } => {
                    lane.entries.insert(offset, Entry::Pending(record));
                    // Only the first one in a partition counts as tried: the others wait behind it.
                    if !moved.blocked.contains(&at) {
                        let before = lane.retry.filter(|retry| retry.offset == offset);
                        let tries = before.map_or(0, |retry| retry.tries) + 1;
                        lane.retry = Some(Retry { offset, tries, at: now + after });
                        moved.blocked.push(at);
                    }
                }
            }
        }
        // One that went on and got stuck again in the same batch waits.
        moved.freed.retain(|at| !moved.blocked.contains(at));
        for at in touched {
            let Some(lane) = self.0.get_mut(&at) else { continue };
            if let Some(offset) = lane.advance() {
                moved.done.push(Position { topic: at.topic.clone(), partition: at.partition, offset });
            }
            if lane.entries.is_empty() {
                self.0.remove(&at);
            }
        }
        moved
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
