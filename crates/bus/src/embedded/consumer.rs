//! A member of a group that reads the embedded log.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::Notify, time::Instant};

use super::{
    Log,
    group::{Change, Group, MemberId},
    store::{Budget, Span},
    writer::Job,
};
use crate::{BusError, Consumer, Delivered, Event, Position, TopicPartition};

/// Bytes of one delivery; a bigger record comes alone.
const MAX_BYTES: i64 = 4 * 1024 * 1024;

/// Where a partition's delivery stands.
struct Cursor {
    next: i64,
    paused: bool,
}

pub(super) struct LogConsumer {
    log: Arc<Log>,
    group: String,
    topics: Vec<Arc<str>>,
    /// Known once it has joined.
    member: Option<MemberId>,
    wake: Arc<Notify>,
    /// The last event was a revocation, and the next call of `next` answers it.
    draining: bool,
    cursors: BTreeMap<TopicPartition, Cursor>,
    /// Which partition is read first; it moves on, so that a busy one starves no other.
    turn: usize,
}

/// What there is to do in a call of `next`.
enum Step {
    Tell(Change),
    Read(Vec<Span>),
    Wait(Option<Instant>),
}

impl LogConsumer {
    pub(super) fn new(log: Arc<Log>, group: &str, topics: &[&str]) -> Self {
        Self {
            log,
            group: group.to_owned(),
            topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
            member: None,
            wake: Arc::new(Notify::new()),
            draining: false,
            cursors: BTreeMap::new(),
            turn: 0,
        }
    }

    async fn join(&mut self) -> Result<MemberId, BusError> {
        if let Some(id) = self.member {
            return Ok(id);
        }
        let topics = self.topics.clone();
        self.log.write(|reply| Job::Ensure { topics, reply }).await?;
        let mut state = self.log.shared.state();
        let state = &mut *state;
        state.last_member += 1;
        let id = state.last_member;
        let group = state.groups.entry(self.group.clone()).or_default();
        group.join(id, &self.topics, self.wake.clone());
        group.rebalance(|topic| state.topics.get(topic).map_or(0, Vec::len));
        self.member = Some(id);
        Ok(id)
    }

    fn step(&mut self, id: MemberId, max: usize) -> Step {
        let mut state = self.log.shared.state();
        let state = &mut *state;
        let Some(group) = state.groups.get_mut(&self.group) else { return Step::Wait(None) };
        if let Some(change) = group.poll(id, Instant::now(), self.log.shared.drain_deadline) {
            if let Change::Assigned(partitions) = &change {
                for at in partitions {
                    let next = group.stored(at).unwrap_or(0);
                    self.cursors.insert(at.clone(), Cursor { next, paused: false });
                }
            }
            return Step::Tell(change);
        }
        let mut spans = Vec::new();
        for (at, cursor) in self.cursors.iter_mut().filter(|(_, cursor)| !cursor.paused && max > 0) {
            let Some(partition) = state.topics.get(&at.topic).and_then(|all| all.get(at.partition as usize))
            else {
                continue;
            };
            if cursor.next < partition.start {
                // Retention has been there first: go on at the oldest record that is left.
                if cursor.next > 0 {
                    tracing::warn!(partition = %at, from = cursor.next, to = partition.start, "records were removed unread");
                }
                cursor.next = partition.start;
            }
            if cursor.next < partition.end && group.delivers(id, at) {
                let (from, until) = (cursor.next, partition.end);
                spans.push(Span { at: at.clone(), partition: partition.id, from, until });
            }
        }
        if spans.is_empty() {
            return Step::Wait(group.next_deadline());
        }
        let first = self.turn % spans.len();
        spans.rotate_left(first);
        self.turn = self.turn.wrapping_add(1);
        Step::Read(spans)
    }

    async fn read(&mut self, spans: Vec<Span>, max: usize) -> Result<Vec<Delivered>, BusError> {
        let shared = self.log.shared.clone();
        let _turn = self.log.shared.reader.turn().await?;
        let budget = Budget { records: max, bytes: MAX_BYTES };
        let found = tokio::task::spawn_blocking(move || {
            let found = shared.reader.read(&spans, budget)?;
            Ok::<_, BusError>((spans, found))
        });
        let (spans, found) = found.await.map_err(|_| BusError::Closed)??;
        if found.is_empty() {
            // Retention removed all of it after the spans were chosen; the next step begins behind that.
            tracing::debug!(partitions = spans.len(), "records were removed while they were being read");
        }
        for record in &found {
            if let Some(cursor) = self.cursors.get_mut(&record.position.topic_partition()) {
                cursor.next = record.position.offset + 1;
            }
        }
        Ok(found)
    }

    fn uncommitted(&self) -> Vec<(TopicPartition, i64)> {
        let state = self.log.shared.state();
        state.groups.get(&self.group).map_or_else(Vec::new, Group::uncommitted)
    }

    fn leave(&mut self) {
        let Some(id) = self.member.take() else { return };
        let mut state = self.log.shared.state();
        let state = &mut *state;
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.leave(id);
            group.rebalance(|topic| state.topics.get(topic).map_or(0, Vec::len));
        }
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        for at in partitions {
            if let Some(cursor) = self.cursors.get_mut(at) {
                cursor.paused = paused;
            }
        }
    }
}

#[async_trait]
impl Consumer for LogConsumer {
    async fn next(&mut self, max: usize) -> Result<Event, BusError> {
        let id = self.join().await?;
        if self.draining {
            // What could not be committed stays stored, so the next owner begins behind it all the same.
            if let Err(error) = self.commit().await {
                tracing::warn!(%error, group = %self.group, "offsets of a revoked partition were not committed");
            }
            if let Some(group) = self.log.shared.state().groups.get_mut(&self.group) {
                group.release(id);
            }
            self.draining = false;
        }
        loop {
            match self.step(id, max) {
                Step::Tell(Change::Assigned(partitions)) => return Ok(Event::Assigned(partitions)),
                Step::Tell(Change::Revoked(partitions)) => {
                    self.cursors.retain(|at, _| !partitions.contains(at));
                    self.draining = true;
                    return Ok(Event::Revoked(partitions));
                }
                Step::Read(spans) => {
                    let found = self.read(spans, max).await?;
                    if !found.is_empty() {
                        return Ok(Event::Records(found));
                    }
                }
                Step::Wait(None) => self.wake.notified().await,
                Step::Wait(Some(deadline)) => {
                    // An elapsed deadline is what we wait for as well.
                    let _ = tokio::time::timeout_at(deadline, self.wake.notified()).await;
                }
            }
        }
    }

    fn store(&mut self, done: &[Position]) {
        let Some(id) = self.member else { return };
        if let Some(group) = self.log.shared.state().groups.get_mut(&self.group) {
            done.iter()
                .for_each(|position| group.store(id, &position.topic_partition(), position.offset + 1));
        }
    }

    fn commit(&mut self) -> BoxFuture<'static, Result<(), BusError>> {
        let offsets = self.uncommitted();
        if offsets.is_empty() {
            return std::future::ready(Ok(())).boxed();
        }
        let (log, group) = (self.log.clone(), self.group.clone());
        async move { log.write(|reply| Job::Commit { group, offsets, reply }).await }.boxed()
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, true);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, false);
    }

    async fn close(mut self: Box<Self>) -> Result<(), BusError> {
        let committed = self.commit().await;
        self.leave();
        committed
    }
}

impl Drop for LogConsumer {
    fn drop(&mut self) {
        if self.member.is_none() {
            return;
        }
        self.leave();
        let offsets = self.uncommitted();
        if let (false, Ok(jobs)) = (offsets.is_empty(), self.log.jobs()) {
            let group = self.group.clone();
            // With a full queue the offsets stay stored and go with another member's commit, or are lost with
            // the process: the records are then delivered again.
            let _ = jobs.try_send(Job::Commit { group, offsets, reply: None });
        }
    }
}
