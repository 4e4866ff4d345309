use std::sync::Mutex;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::{Fingerprint, Headers, Position, TopicPartition};

/// More than any script has events or calls.
const ROOM: usize = 16;

/// What the loop asked of its consumer.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Store(i64),
    Commit,
    Pause,
    Resume,
    Close,
}

/// A consumer of one partition whose events and answers the test gives.
struct Scripted {
    events: mpsc::Receiver<Event>,
    calls: mpsc::Sender<Call>,
    /// What ends each commit.
    commits: Vec<oneshot::Receiver<Result<(), BusError>>>,
}

impl Scripted {
    fn note(&self, call: Call) {
        self.calls.try_send(call).unwrap();
    }
}

#[async_trait]
impl Consumer for Scripted {
    async fn next(&mut self, _: usize) -> Result<Event, BusError> {
        match self.events.recv().await {
            Some(event) => Ok(event),
            None => std::future::pending().await,
        }
    }

    fn store(&mut self, done: &[Position]) {
        done.iter().for_each(|position| self.note(Call::Store(position.offset)));
    }

    fn commit(&mut self) -> BoxFuture<'static, Result<(), BusError>> {
        self.note(Call::Commit);
        let end = self.commits.pop().unwrap();
        async move { end.await.unwrap() }.boxed()
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        partitions.iter().for_each(|_| self.note(Call::Pause));
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        partitions.iter().for_each(|_| self.note(Call::Resume));
    }

    async fn close(self: Box<Self>) -> Result<(), BusError> {
        self.note(Call::Close);
        Ok(())
    }
}

struct Nobody;

#[async_trait]
impl Producer for Nobody {
    async fn send(&self, records: Vec<Record>) -> Result<(), BusError> {
        panic!("not asked to send {records:?}")
    }

    async fn recent(&self, _: &str, _: common::models::UnixMillis) -> Result<Vec<Fingerprint>, BusError> {
        panic!("not asked")
    }
}

/// Gives its answers in order, one for each record.
struct Answers(Mutex<Vec<Outcome>>);

#[async_trait]
impl Handler for Answers {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        self.0.lock().unwrap().drain(..records.len()).collect()
    }
}

/// The loop, running; and the other ends of what it has.
struct Rig {
    events: mpsc::Sender<Event>,
    calls: mpsc::Receiver<Call>,
    /// Ends the commits, the first one last.
    commits: Vec<oneshot::Sender<Result<(), BusError>>>,
    cancel: CancellationToken,
}

impl Rig {
    fn start(answers: Vec<Outcome>) -> Self {
        let (events, to_hear) = mpsc::channel(ROOM);
        let (to_note, calls) = mpsc::channel(ROOM);
        let (commits, to_await) = (0..4).map(|_| oneshot::channel()).unzip();
        let consumer = Scripted { events: to_hear, calls: to_note, commits: to_await };
        let policy = Policy { commit_interval: Duration::ZERO, ..Policy::default() };
        let tools = Tools { producer: Arc::new(Nobody), policy, metrics: WorkerMetrics::default() };
        let (cancel, handler) = (CancellationToken::new(), Answers(Mutex::new(answers)));
        let token = cancel.clone();
        tokio::spawn(async move { run(Box::new(consumer), &handler, tools, token).await });
        Self { events, calls, commits, cancel }
    }

    /// One whose first record is done with, and being committed.
    async fn committing(more: usize) -> Self {
        let mut rig = Self::start(vec![Outcome::Done; 1 + more]);
        rig.tell([record(0)]);
        assert_eq!(rig.calls(2).await, [Call::Store(0), Call::Commit]);
        rig
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.events.try_send(event).unwrap());
    }

    fn end_commit(&mut self, outcome: Result<(), BusError>) {
        self.commits.pop().unwrap().send(outcome).unwrap();
    }

    async fn calls(&mut self, count: usize) -> Vec<Call> {
        let mut calls = Vec::new();
        while calls.len() < count {
            calls.push(self.calls.recv().await.unwrap());
        }
        calls
    }
}

fn ours() -> Vec<TopicPartition> {
    vec![TopicPartition::new("t", 0)]
}

fn record(offset: i64) -> Event {
    let position = Position { topic: "t".into(), partition: 0, offset };
    Event::Records(vec![Delivered {
        position,
        timestamp_ms: 0,
        key: None,
        value: None,
        headers: Headers::new(),
    }])
}

#[tokio::test]
async fn a_partition_that_was_lost_and_comes_back_is_not_left_paused_for_a_retry_of_before() {
    let in_an_hour = Outcome::Retry { after: Some(Duration::from_secs(3600)), reason: "later".into() };
    let mut rig = Rig::start(vec![in_an_hour, Outcome::Done]);

    rig.tell([
        Event::Assigned(ours()),
        record(5),
        Event::Revoked(ours()),
        Event::Assigned(ours()),
        record(5),
    ]);

    assert_eq!(rig.calls(5).await, [Call::Resume, Call::Pause, Call::Resume, Call::Store(5), Call::Commit]);
}

#[tokio::test]
async fn records_are_handled_while_a_commit_is_under_way_and_the_next_one_follows_it() {
    let mut rig = Rig::committing(2).await;

    rig.tell([record(1), record(2)]);
    assert_eq!(rig.calls(2).await, [Call::Store(1), Call::Store(2)]);
    rig.end_commit(Ok(()));

    assert_eq!(rig.calls(1).await, [Call::Commit]);
}

#[tokio::test]
async fn a_commit_that_fails_is_tried_again() {
    let mut rig = Rig::committing(0).await;

    rig.end_commit(Err(BusError::Timeout));

    assert_eq!(rig.calls(1).await, [Call::Commit]);
}

#[tokio::test]
async fn the_end_waits_for_the_commit_that_is_under_way() {
    let mut rig = Rig::committing(0).await;

    rig.cancel.cancel();
    sleep(Duration::from_millis(50)).await;
    let before = rig.calls.try_recv();
    rig.end_commit(Ok(()));

    assert!(before.is_err());
    assert_eq!(rig.calls(1).await, [Call::Close]);
}
