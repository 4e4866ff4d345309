//! The worker loop on a real bus.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bus::{
    Bus, Delivered, record as header, topics,
    worker::{Handler, Outcome, Policy, Worker, WorkerMetrics},
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::rig::{Reader, Rig, asked, record, soon, text};

type Answer = dyn Fn(&Delivered, usize) -> Outcome + Send + Sync;

/// Answers record by record, given the record and how often it was seen before; stops a partition at a retry.
struct Script {
    answer: Box<Answer>,
    seen: Mutex<Vec<(i32, String)>>,
    progress: Notify,
}

impl Script {
    fn new(answer: impl Fn(&Delivered, usize) -> Outcome + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default(), progress: Notify::new() })
    }

    fn seen(&self) -> Vec<(i32, String)> {
        self.seen.lock().expect("sound").clone()
    }

    fn times(&self, value: &str) -> usize {
        self.seen().iter().filter(|(_, seen)| seen == value).count()
    }

    /// Waits until it has seen what `enough` asks for.
    async fn until(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        soon(what, async {
            while !enough(self) {
                self.progress.notified().await;
            }
        })
        .await;
    }
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let mut stuck = BTreeSet::new();
        let answer = |record: &Delivered| {
            let partition = record.position.partition;
            if stuck.contains(&partition) {
                return Outcome::retry("behind a retry");
            }
            let before = self.times(&text(record));
            self.seen.lock().expect("sound").push((partition, text(record)));
            let outcome = (self.answer)(record, before);
            self.progress.notify_one();
            if matches!(outcome, Outcome::Retry { .. }) {
                stuck.insert(partition);
            }
            outcome
        };
        records.iter().map(answer).collect()
    }
}

pub(super) struct Running {
    task: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Running {
    fn start(bus: &Bus, group: &str, topic: &str, handler: Arc<dyn Handler>) -> Self {
        let policy = Policy {
            backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(50),
            max_attempts: Some(5),
            ..Policy::default()
        };
        Self::with(Worker::new(bus, group, &[topic]).policy(policy), handler)
    }

    pub(super) fn with(worker: Worker, handler: Arc<dyn Handler>) -> Self {
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let task = tokio::spawn(async move { worker.run(handler.as_ref(), token).await.expect("runs") });
        Self { task, cancel }
    }

    pub(super) async fn stop(self) {
        self.cancel.cancel();
        soon("the worker's end", self.task).await.expect("no panic");
    }
}

async fn committed(bus: &Bus, group: &str, topic: &str) -> i64 {
    let lag = asked("lag", || bus.lag(group, topic)).await;
    lag.iter().map(|partition| partition.committed.unwrap_or(0)).sum()
}

pub(crate) async fn retry_holds_its_partition_back_and_no_other(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let batch = (0..40).map(|n| record(&topic, &format!("key-{}", n % 8), &format!("{n:02}"))).collect();
    bus.producer().send(batch).await.expect("durable");
    let written = Reader::new(&bus, &rig.name("onlooker"), &topic).read(40).await;
    let partition_of = |record: &Delivered| record.position.partition;
    let stuck = written.iter().find(|record| text(record) == "03").map(partition_of).expect("it is there");
    let elsewhere = written.iter().filter(|record| partition_of(record) != stuck).count();
    assert_ne!(elsewhere, 0, "all keys are in one partition");
    let script = Script::new({
        let others = Mutex::new(BTreeSet::new());
        // Record 03 is retried until all records of the other partitions are through.
        move |record, before| {
            let mut others = others.lock().expect("sound");
            if partition_of(record) != stuck {
                others.insert(text(record));
            } else if text(record) == "03" && (before < 3 || others.len() < elsewhere) {
                return Outcome::Retry { after: Some(Duration::from_millis(10)), reason: "not yet".into() };
            }
            Outcome::Done
        }
    });

    let worker = Running::with(Worker::new(&bus, &group, &[&topic]), script.clone());
    let each = |script: &Script| script.seen().into_iter().map(|(_, value)| value).collect::<BTreeSet<_>>();
    script.until("all records", |script| each(script).len() == 40).await;
    worker.stop().await;

    assert!(script.times("03") >= 4);
    let mut by_partition: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (partition, value) in script.seen() {
        by_partition.entry(partition).or_default().push(value);
    }
    for (partition, mut values) in by_partition {
        values.dedup();
        assert!(values.is_sorted(), "partition {partition} is out of order: {values:?}");
    }
    assert_eq!(committed(&bus, &group, &topic).await, 40);
}

pub(crate) async fn dead_record_goes_to_the_dead_letters_with_its_bytes(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let poison = record(&topic, "the key", "poison").header("traceparent", "00-1-2-03");
    bus.producer().send(vec![poison, record(&topic, "the key", "fine")]).await.expect("durable");
    let script = Script::new(|record, _| match text(record).as_str() {
        "poison" => Outcome::dead("undecodable"),
        _ => Outcome::Done,
    });

    let worker = Running::start(&bus, &group, &topic, script.clone());
    script.until("the record behind it", |script| script.times("fine") == 1).await;
    worker.stop().await;

    let letter =
        Reader::new(&bus, &rig.name("operator"), &topics::dead_letters_of(&topic)).read(1).await.remove(0);
    assert_eq!((letter.key.as_deref(), text(&letter).as_str()), (Some(&b"the key"[..]), "poison"));
    let said = |name| letter.headers.get_str(name).unwrap_or_default().to_owned();
    assert_eq!(said("traceparent"), "00-1-2-03");
    assert_eq!(said(header::ERROR), "undecodable");
    assert_eq!(said(header::ATTEMPTS), "1");
    assert_eq!(said(header::SOURCE_TOPIC), topic);
    assert_eq!(said(header::SOURCE_OFFSET), "0");
    assert_eq!(committed(&bus, &group, &topic).await, 2);
}

pub(crate) async fn dead_record_of_the_largest_size_blocks_nothing(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    // The headers of a dead letter make it larger than the bus takes.
    let poison = record(&topic, "the key", &"x".repeat((1 << 20) - 80));
    bus.producer().send(vec![poison, record(&topic, "the key", "fine")]).await.expect("durable");
    let script = Script::new(|record, _| match text(record).as_str() {
        "fine" => Outcome::Done,
        _ => Outcome::dead("undecodable"),
    });

    let worker = Running::start(&bus, &group, &topic, script.clone());
    script.until("the record behind it", |script| script.times("fine") == 1).await;
    worker.stop().await;

    let letter =
        Reader::new(&bus, &rig.name("operator"), &topics::dead_letters_of(&topic)).read(1).await.remove(0);
    assert!(letter.key.is_none() && letter.value.is_none());
    let said = |name| letter.headers.get_str(name).unwrap_or_default().to_owned();
    assert_eq!(said(header::ERROR), "undecodable");
    assert_eq!(said(header::SOURCE_OFFSET), "0");
    assert!(said(header::OMITTED_BYTES).parse::<usize>().is_ok_and(|size| size > 1 << 20));
    assert_eq!(committed(&bus, &group, &topic).await, 2);
}

pub(crate) async fn panic_is_a_retry_and_ends_with_the_dead_letters(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let batch = ["before", "bomb", "after"].map(|value| record(&topic, "k", value)).to_vec();
    bus.producer().send(batch).await.expect("durable");
    let script = Script::new(|record, _| if text(record) == "bomb" { panic!("boom") } else { Outcome::Done });
    let metrics = WorkerMetrics::default();
    let policy = Policy { backoff: Duration::from_millis(5), max_panics: 3, ..Policy::default() };
    let worker = Worker::new(&bus, &group, &[&topic]).policy(policy).metrics(metrics.clone());

    let worker = Running::with(worker, script.clone());
    script.until("the record behind it", |script| script.times("after") == 1).await;
    worker.stop().await;

    let letter =
        Reader::new(&bus, &rig.name("operator"), &topics::dead_letters_of(&topic)).read(1).await.remove(0);
    assert_eq!(text(&letter), "bomb");
    assert_eq!(letter.headers.get_str(header::ATTEMPTS), Some("3"));
    assert_eq!((metrics.consumed.get(), metrics.dead.get()), (3, 1));
    assert!(metrics.retried.get() >= 2);
}

/// Holds each batch until it is told to go on.
#[derive(Default)]
struct Gate {
    /// Records that have come so far.
    records: AtomicUsize,
    entered: Notify,
    open: Notify,
}

#[async_trait]
impl Handler for Gate {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        self.records.fetch_add(records.len(), Ordering::SeqCst);
        self.entered.notify_one();
        self.open.notified().await;
        vec![Outcome::Done; records.len()]
    }
}

pub(crate) async fn cancel_finishes_the_batch_in_flight_and_commits_it(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    bus.producer().send(vec![record(&topic, "k", "in flight")]).await.expect("durable");
    let gate = Arc::new(Gate::default());
    let worker = Running::start(&bus, &group, &topic, gate.clone());
    soon("the batch", gate.entered.notified()).await;

    worker.cancel.cancel();
    assert_eq!(committed(&bus, &group, &topic).await, 0);
    gate.open.notify_one();
    worker.stop().await;

    assert_eq!(committed(&bus, &group, &topic).await, 1);
}

pub(crate) async fn rebalance_waits_for_the_batch_in_flight(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let batch = (0..40).map(|n| record(&topic, &format!("key-{n}"), &format!("{n}"))).collect();
    bus.producer().send(batch).await.expect("durable");
    let gate = Arc::new(Gate::default());
    let worker = Running::start(&bus, &group, &topic, gate.clone());
    // Partitions are fetched one by one; the batch that makes all records complete stays in flight.
    soon("all records", async {
        loop {
            gate.entered.notified().await;
            if gate.records.load(Ordering::SeqCst) == 40 {
                return;
            }
            gate.open.notify_one();
        }
    })
    .await;

    let mut newcomer = Reader::new(&bus, &group, &topic);
    let joining = tokio::spawn(async move {
        let early = newcomer.own(2).await;
        (newcomer, early)
    });
    // More than a heartbeat, by which a member hears that it has to share.
    tokio::time::sleep(rig.drain_deadline() / 3).await;
    assert!(!joining.is_finished(), "assigned before the batch had ended");
    gate.open.notify_one();
    let (_newcomer, early) = soon("its share", joining).await.expect("no panic");
    worker.stop().await;

    assert!(early.is_empty(), "what had been handled was delivered again: {}", early.len());
    assert_eq!(committed(&bus, &group, &topic).await, 40);
}
