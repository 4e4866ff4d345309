//! What the polling thread and the owner of a consumer share: events on their way, and whose the partitions are.
//!
//! The thread puts events in and, at a revocation, waits here for the owner's answer. The owner takes events and notes
//! what is done. No broker is known here.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{BusError, Delivered, Event, Position, TopicPartition};

/// Records that are fetched ahead of the owner; more of them stop the fetching.
const HIGH: usize = 2000;
/// Fetching goes on once so few are left.
const LOW: usize = 500;

#[derive(Default)]
pub(super) struct Membership {
    state: Mutex<State>,
    arrived: Notify,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    queued_records: usize,
    owned: HashMap<TopicPartition, Owned>,
    paused: HashSet<TopicPartition>,
    held: bool,
    revocation: Revocation,
    failure: Option<BusError>,
    ended: bool,
    closing: bool,
}

enum Item {
    Records(VecDeque<Delivered>),
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

/// Offsets in one partition, since it was assigned.
#[derive(Default)]
struct Owned {
    /// Of the first record that was delivered; what lies before it belongs to an earlier owner.
    first: Option<i64>,
    /// Behind the last record that is done: what to commit.
    stored: Option<i64>,
    committed: Option<i64>,
}

/// How far the owner is with the revocation that the thread waits for.
#[derive(Default, PartialEq)]
enum Revocation {
    #[default]
    None,
    Announced,
    Delivered,
    Answered,
}

/// What flow control wants of the thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Stop(Vec<TopicPartition>),
    Resume(Vec<TopicPartition>),
}

/// Offsets to commit: the next one to read, by partition.
pub(super) type Offsets = Vec<(TopicPartition, i64)>;

impl Membership {
    /// Waits for the next event, with at most `max` records in it. The call answers an earlier revocation.
    pub(super) async fn next(&self, max: usize) -> Result<Event, BusError> {
        {
            let mut state = self.lock();
            if state.revocation == Revocation::Delivered {
                state.revocation = Revocation::Answered;
                self.changed.notify_all();
            }
        }
        loop {
            if let Some(event) = self.take(max.max(1))? {
                return Ok(event);
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self, max: usize) -> Result<Option<Event>, BusError> {
        let mut state = self.lock();
        let event = match state.queue.pop_front() {
            None if state.ended => return Err(BusError::Closed),
            None => return state.failure.take().map_or(Ok(None), Err),
            Some(Item::Assigned(partitions)) => Event::Assigned(partitions),
            Some(Item::Revoked(partitions)) => {
                if state.revocation == Revocation::Announced {
                    state.revocation = Revocation::Delivered;
                }
                Event::Revoked(partitions)
            }
            Some(Item::Records(mut records)) => {
                let rest = records.split_off(max.min(records.len()));
                if !rest.is_empty() {
                    state.queue.push_front(Item::Records(rest));
                }
                state.queued_records -= records.len();
                for record in &records {
                    if let Some(owned) = state.owned.get_mut(&record.position.topic_partition()) {
                        owned.first.get_or_insert(record.position.offset);
                    }
                }
                Event::Records(records.into())
            }
        };
        Ok(Some(event))
    }

    /// Notes that records are done with.
    pub(super) fn store(&self, done: &[Position]) {
        let mut state = self.lock();
        for position in done {
            let Some(owned) = state.owned.get_mut(&position.topic_partition()) else { continue };
            if owned.first.is_some_and(|first| first <= position.offset) {
                owned.stored = owned.stored.max(Some(position.offset + 1));
            }
        }
    }

    /// What is stored and not yet committed.
    pub(super) fn uncommitted(&self) -> Offsets {
        let state = self.lock();
        let behind = |(partition, owned): (&TopicPartition, &Owned)| {
            owned
                .stored
                .filter(|stored| owned.committed != Some(*stored))
                .map(|next| (partition.clone(), next))
        };
        state.owned.iter().filter_map(behind).collect()
    }

    /// Notes that a commit succeeded.
    pub(super) fn committed(&self, offsets: &Offsets) {
        let mut state = self.lock();
        for (partition, next) in offsets {
            if let Some(owned) = state.owned.get_mut(partition) {
                owned.committed = owned.committed.max(Some(*next));
            }
        }
    }

    /// Hands records to the owner, without those of partitions that were taken away while they were collected.
    pub(super) fn deliver(&self, mut records: VecDeque<Delivered>) {
        let mut state = self.lock();
        records.retain(|record| state.owned.contains_key(&record.position.topic_partition()));
        if records.is_empty() {
            return;
        }
        state.queued_records += records.len();
        match state.queue.back_mut() {
            Some(Item::Records(last)) => last.append(&mut records),
            _ => state.queue.push_back(Item::Records(records)),
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Reports an error; an earlier one that nobody has seen yet stays.
    pub(super) fn fail(&self, error: BusError) {
        self.lock().failure.get_or_insert(error);
        self.arrived.notify_one();
    }

    /// Takes partitions into ownership, not paused; tells whether fetching of them has to wait.
    pub(super) fn assign(&self, partitions: &[TopicPartition]) -> bool {
        let mut state = self.lock();
        for partition in partitions {
            state.paused.remove(partition);
            state.owned.insert(partition.clone(), Owned::default());
        }
        state.held
    }

    /// Tells whether fetching has to wait.
    pub(super) fn is_held(&self) -> bool {
        self.lock().held
    }

    /// Tells the owner of partitions that it was assigned.
    pub(super) fn announce(&self, partitions: Vec<TopicPartition>) {
        self.lock().queue.push_back(Item::Assigned(partitions));
        self.arrived.notify_one();
    }

    /// Announces that partitions go away, waits for the owner's answer for at most `patience`, and ends the ownership.
    /// Gives what there is to commit for them.
    pub(super) fn revoke(&self, partitions: &[TopicPartition], patience: Duration) -> Offsets {
        let mut state = self.lock();
        state.forget_queued(partitions);
        state.queue.push_back(Item::Revoked(partitions.to_vec()));
        state.revocation = Revocation::Announced;
        self.arrived.notify_one();
        let deadline = Instant::now() + patience;
        while state.revocation != Revocation::Answered && !state.closing {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.revocation = Revocation::None;
        let mut offsets = Offsets::new();
        for partition in partitions {
            state.paused.remove(partition);
            if let Some(owned) = state.owned.remove(partition)
                && let Some(next) = owned.stored.filter(|stored| owned.committed != Some(*stored))
            {
                offsets.push((partition.clone(), next));
            }
        }
        offsets
    }

    /// Notes what the owner wants paused; gives those of `partitions` for which the client has to act.
    pub(super) fn set_paused(&self, partitions: &[TopicPartition], paused: bool) -> Vec<TopicPartition> {
        let mut state = self.lock();
        let ours: Vec<_> = partitions.iter().filter(|p| state.owned.contains_key(p)).cloned().collect();
        for partition in &ours {
            if paused {
                state.paused.insert(partition.clone());
            } else {
                state.paused.remove(partition);
            }
        }
        // What flow control holds is resumed with all the others.
        if state.held && !paused { Vec::new() } else { ours }
    }

    /// Compares what is queued with the bounds.
    pub(super) fn flow(&self) -> Flow {
        let mut state = self.lock();
        let flow = match state.held {
            false if state.queued_records >= HIGH => Flow::Stop,
            true if state.queued_records <= LOW => Flow::Resume,
            // The owner resumed one at the very moment when all were stopped.
            true if state.queued_records >= 2 * HIGH => Flow::Stop,
            _ => return Flow::Go,
        };
        state.held = state.queued_records >= HIGH;
        flow(state.owned.keys().filter(|partition| !state.paused.contains(*partition)).cloned().collect())
    }

    /// Asks the thread to leave the group. It waits for no answer any more.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Notes that no event will follow.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    /// No code panics while it holds this lock half-way through a change, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes records that the owner has not seen: the partition's next owner reads them.
    fn forget_queued(&mut self, partitions: &[TopicPartition]) {
        for item in &mut self.queue {
            if let Item::Records(records) = item {
                let before = records.len();
                records.retain(|record| !partitions.contains(&record.position.topic_partition()));
                self.queued_records -= before - records.len();
            }
        }
        self.queue.retain(|item| !matches!(item, Item::Records(records) if records.is_empty()));
    }
}

#[cfg(test)]
mod tests;
