//! A broker that is killed in the middle of everything.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bus::{
    Bus, BusError, BusSettings, Delivered, Event, Producer, Record,
    worker::{Handler, Outcome, Policy, Worker, WorkerMetrics},
};
use testkit::kafka::Kafka;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, next_records, open, settings};

const CALLS: usize = 120;
const RECORDS: usize = 25;
/// Within which every call has to fail: a question takes 5 seconds, on a machine that may be loaded.
const BOUND: Duration = Duration::from_secs(20);

/// Sends numbered records, 25 a call, each call again until it is confirmed; counts the confirmed calls.
async fn produce(producer: Arc<dyn Producer>, confirmed: Arc<AtomicUsize>) {
    for call in 0..CALLS {
        let numbers = call * RECORDS..(call + 1) * RECORDS;
        let records: Vec<Record> =
            numbers.map(|n| Record::new("jobs", format!("key-{}", n % 7), n.to_string())).collect();
        while let Err(error) = producer.send(records.clone()).await {
            assert!(error.is_transient(), "{error}");
        }
        confirmed.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_or_out_of_order_when_the_broker_is_killed() {
    let mut kafka = Kafka::start().await.unwrap();
    let bus = open(kafka.bootstrap());
    let confirmed = Arc::new(AtomicUsize::new(0));
    let producing = tokio::spawn(produce(bus.producer(), confirmed.clone()));
    let mut consumer = bus.consumer("workers", &["jobs"]).unwrap();

    let mut seen = HashSet::new();
    let mut newest: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut kills = 0;
    while seen.len() < CALLS * RECORDS {
        let records = next_records(&mut consumer).await;
        for record in &records {
            let number: usize = std::str::from_utf8(record.bytes()).unwrap().parse().unwrap();
            let newest = newest.entry(record.key.clone().unwrap()).or_default();
            // A record that is new to us is newer than all we have seen of its key.
            assert!(!seen.insert(number) || number >= *newest, "{number} came after {newest}");
            *newest = number.max(*newest);
        }
        let done: Vec<_> = records.into_iter().map(|record| record.position).collect();
        consumer.store(&done);
        // While the broker is away this fails, and the offsets go with a later commit.
        let _ = consumer.commit().await;
        if kills < 2 && confirmed.load(Ordering::SeqCst) > (kills + 1) * CALLS / 4 {
            kills += 1;
            kafka.kill();
            kafka.restart().await.unwrap();
        }
    }

    assert_eq!(kills, 2);
    tokio::time::timeout(PATIENCE, producing).await.unwrap().unwrap();
    // Records of a partition that was lost and has come back may come again, and count as done only then.
    tokio::time::timeout(PATIENCE, async {
        loop {
            let committed = consumer.commit().await.is_ok();
            let lag = bus.lag("workers", "jobs").await;
            if committed && lag.is_ok_and(|lag| lag.iter().all(|partition| partition.lag == 0)) {
                return;
            }
            let next = tokio::time::timeout(Duration::from_millis(100), consumer.next(500)).await;
            if let Ok(Ok(Event::Records(again))) = next {
                let done: Vec<_> = again.into_iter().map(|record| record.position).collect();
                consumer.store(&done);
            }
        }
    })
    .await
    .expect("a lag of 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_is_reported_in_bounded_time_and_heals_without_opening_anything_again() {
    let mut kafka = Kafka::start().await.unwrap();
    let brief = BusSettings { delivery_timeout: Duration::from_secs(2), ..settings(kafka.bootstrap()) };
    let bus = Bus::open(&brief, None).unwrap();
    let mut consumer = bus.consumer("workers", &["jobs"]).unwrap();
    let producer = bus.producer();
    // The first record has its topic made, and that by a broker that has just started.
    tokio::time::timeout(PATIENCE, async {
        while producer.send(vec![Record::new("jobs", "k", "before")]).await.is_err() {}
    })
    .await
    .unwrap();
    assert_eq!(next_records(&mut consumer).await[0].bytes(), b"before");

    kafka.kill();
    let ping = tokio::time::timeout(BOUND, bus.ping()).await.expect("ping is bounded");
    assert!(ping.is_err_and(|error| error.is_transient()));
    let sent = producer.send(vec![Record::new("jobs", "k", "lost, and said so")]);
    let sent = tokio::time::timeout(BOUND, sent).await.expect("send is bounded");
    assert!(matches!(sent, Err(BusError::Timeout)), "{sent:?}");

    kafka.restart().await.unwrap();
    tokio::time::timeout(PATIENCE, async { while bus.ping().await.is_err() {} }).await.unwrap();
    tokio::time::timeout(PATIENCE, async {
        while producer.send(vec![Record::new("jobs", "k", "after")]).await.is_err() {}
    })
    .await
    .unwrap();
    while next_records(&mut consumer).await.iter().all(|record| record.bytes() != b"after") {}
}

#[tokio::test]
async fn bus_opens_while_no_broker_is_there() {
    let bus = open(&format!("127.0.0.1:{}", testkit::process::ports::free()));

    let consumer = bus.consumer("workers", &["jobs"]).unwrap();

    assert!(bus.ping().await.is_err_and(|error| error.is_transient()));
    drop(consumer);
}

/// Takes no record.
struct Nothing;

#[async_trait]
impl Handler for Nothing {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        vec![Outcome::retry("not today"); records.len()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_metric_stands_as_last_seen_while_the_broker_is_away_and_says_that_it_does() {
    let mut kafka = Kafka::start().await.unwrap();
    let bus = open(kafka.bootstrap());
    bus.producer().send(vec![Record::new("jobs", "k", "v"); 3]).await.unwrap();
    let (metrics, cancel) = (WorkerMetrics::default(), CancellationToken::new());
    let policy = Policy { lag_interval: Duration::from_millis(50), ..Policy::default() };
    let worker = Worker::new(&bus, "workers", &["jobs"]).policy(policy).metrics(metrics.clone());
    let working = tokio::spawn({
        let cancel = cancel.clone();
        async move { worker.run(&Nothing, cancel).await }
    });
    let until = async |reached: &dyn Fn() -> bool| {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until(&|| metrics.lag.get() == 3)).await.expect("the lag");

    kafka.kill();
    let failed = metrics.lag_failed.get();
    tokio::time::timeout(PATIENCE, until(&|| metrics.lag_failed.get() > failed)).await.expect("a failure");

    assert_eq!(metrics.lag.get(), 3);
    cancel.cancel();
    tokio::time::timeout(PATIENCE, working).await.expect("its end").unwrap().unwrap();
}
