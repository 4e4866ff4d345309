//! A consumer group: who owns which partition, and how far the group is.
//!
//! Rebalancing is cooperative, like Kafka's cooperative-sticky: members keep what they have unless balance demands
//! otherwise, and a partition that moves is first revoked, then drained by its owner (or its deadline passes), and
//! only then offered to the next. No I/O, no clock: time comes in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::assignment::{Subscriptions, assign};
use crate::TopicPartition;

/// A member of a group, unique in the process.
pub(super) type MemberId = u64;

/// What a member is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Meant for the owner, who has not been told.
    Offered,
    Owned,
    /// To be taken away; the owner has not been told.
    Revoking,
    /// The owner was told and has not answered.
    Draining,
}

#[derive(Debug)]
struct Slot {
    owner: MemberId,
    phase: Phase,
    /// While revoking or draining: when it is given away regardless.
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Member {
    wake: Arc<Notify>,
    /// Given away before it was told.
    lost: Vec<TopicPartition>,
}

/// The state of one group.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: BTreeMap<MemberId, Member>,
    subscriptions: Subscriptions,
    target: BTreeMap<TopicPartition, MemberId>,
    slots: BTreeMap<TopicPartition, Slot>,
    /// Next offset by partition: in memory, and as the file has it.
    stored: HashMap<TopicPartition, i64>,
    committed: HashMap<TopicPartition, i64>,
}

impl Group {
    /// Adds a member. [`Group::rebalance`] is to follow.
    pub(super) fn join(&mut self, id: MemberId, topics: &[Arc<str>], wake: Arc<Notify>) {
        self.members.insert(id, Member { wake, lost: Vec::new() });
        self.subscriptions.insert(id, topics.iter().cloned().collect());
    }

    /// Removes a member; what it owned is free at once. [`Group::rebalance`] is to follow.
    pub(super) fn leave(&mut self, id: MemberId) {
        self.members.remove(&id);
        self.subscriptions.remove(&id);
        self.slots.retain(|_, slot| slot.owner != id);
    }

    /// Decides anew who should own what, given the number of partitions of each topic.
    pub(super) fn rebalance(&mut self, count: impl Fn(&Arc<str>) -> usize) {
        let mut topics: Vec<&Arc<str>> = self.subscriptions.values().flatten().collect();
        topics.sort();
        topics.dedup();
        let partitions: Vec<TopicPartition> = topics
            .into_iter()
            .flat_map(|topic| (0..count(topic)).map(|n| TopicPartition::new(topic.clone(), n as i32)))
            .collect();
        let current = self.slots.iter().map(|(at, slot)| (at.clone(), slot.owner)).collect();
        self.target = assign(&partitions, &self.subscriptions, &current);
        // The members settle it when they wake: they know the time.
        self.members.values().for_each(|member| member.wake.notify_one());
    }

    /// Advances the group to `now` and takes what member `id` is to be told next. `drain` is how long a
    /// revocation may take.
    pub(super) fn poll(&mut self, id: MemberId, now: Instant, drain: Duration) -> Option<Change> {
        self.expire(now);
        self.settle(now + drain);
        let mut revoked = match self.members.get_mut(&id) {
            Some(member) => std::mem::take(&mut member.lost),
            None => Vec::new(),
        };
        revoked.extend(self.advance(id, Phase::Revoking, Phase::Draining));
        if !revoked.is_empty() {
            return Some(Change::Revoked(revoked));
        }
        let assigned = self.advance(id, Phase::Offered, Phase::Owned);
        (!assigned.is_empty()).then_some(Change::Assigned(assigned))
    }

    /// Takes the answer of a member that was told of a revocation: it has drained.
    pub(super) fn release(&mut self, id: MemberId) {
        self.slots.retain(|_, slot| slot.owner != id || slot.phase != Phase::Draining);
        self.members.values().for_each(|member| member.wake.notify_one());
    }

    /// When the earliest revocation is given up on.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.slots.values().filter_map(|slot| slot.deadline).min()
    }

    /// Tells whether records of this partition go to member `id`.
    pub(super) fn delivers(&self, id: MemberId, at: &TopicPartition) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.owner == id && slot.phase == Phase::Owned)
    }

    /// Notes that the group's next offset is `next`, if member `id` still has the partition.
    pub(super) fn store(&mut self, id: MemberId, at: &TopicPartition, next: i64) {
        if self.slots.get(at).is_some_and(|slot| slot.owner == id && slot.phase != Phase::Offered) {
            let stored = self.stored.entry(at.clone()).or_insert(next);
            *stored = next.max(*stored);
        }
    }

    /// Where delivery begins for a new owner.
    pub(super) fn stored(&self, at: &TopicPartition) -> Option<i64> {
        self.stored.get(at).copied()
    }

    /// What the file has.
    pub(super) fn committed(&self, at: &TopicPartition) -> Option<i64> {
        self.committed.get(at).copied()
    }

    /// Notes what the file has.
    pub(super) fn set_committed(&mut self, at: TopicPartition, next: i64) {
        self.stored.entry(at.clone()).or_insert(next);
        self.committed.insert(at, next);
    }

    /// What is stored and not in the file, whoever stored it.
    pub(super) fn uncommitted(&self) -> Vec<(TopicPartition, i64)> {
        let ahead = |(at, next): &(&TopicPartition, &i64)| self.committed.get(*at) != Some(*next);
        self.stored.iter().filter(ahead).map(|(at, next)| (at.clone(), *next)).collect()
    }

    /// Wakes the owners of these partitions.
    pub(super) fn wake_owners<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let owners = partitions.filter_map(|at| self.members.get(&self.slots.get(at)?.owner));
        owners.for_each(|member| member.wake.notify_one());
    }

    fn expire(&mut self, now: Instant) {
        let members = &mut self.members;
        self.slots.retain(|at, slot| {
            let expired = slot.deadline.is_some_and(|deadline| deadline <= now);
            if expired
                && slot.phase == Phase::Revoking
                && let Some(member) = members.get_mut(&slot.owner)
            {
                member.lost.push(at.clone());
            }
            !expired
        });
    }

    /// Moves every partition one step towards its target.
    fn settle(&mut self, deadline: Instant) {
        let mut woken = Vec::new();
        self.slots.retain(|at, slot| {
            let stays = self.target.get(at) == Some(&slot.owner);
            match slot.phase {
                Phase::Offered => return stays,
                Phase::Owned if !stays => {
                    (slot.phase, slot.deadline) = (Phase::Revoking, Some(deadline));
                    woken.push(slot.owner);
                    // Waits for the deadline.
                    woken.extend(self.target.get(at));
                }
                // Taken back before anybody was told.
                Phase::Revoking if stays => (slot.phase, slot.deadline) = (Phase::Owned, None),
                Phase::Owned | Phase::Revoking | Phase::Draining => {}
            }
            true
        });
        for (at, owner) in &self.target {
            self.slots.entry(at.clone()).or_insert_with(|| {
                woken.push(*owner);
                Slot { owner: *owner, phase: Phase::Offered, deadline: None }
            });
        }
        let members = woken.iter().filter_map(|id| self.members.get(id));
        members.for_each(|member| member.wake.notify_one());
    }

    fn advance(&mut self, id: MemberId, from: Phase, to: Phase) -> Vec<TopicPartition> {
        let slots = self.slots.iter_mut().filter(|(_, slot)| slot.owner == id && slot.phase == from);
        slots
            .map(|(at, slot)| {
                slot.phase = to;
                at.clone()
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
