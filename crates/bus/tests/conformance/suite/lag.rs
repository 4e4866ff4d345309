//! The lag as the metrics of a worker tell it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bus::{
    Delivered,
    worker::{Handler, Outcome, Policy, Worker, WorkerMetrics},
};

use super::worker::Running;
use crate::rig::{Rig, record, soon};

/// Takes no record until it is opened.
#[derive(Default)]
struct Closed(AtomicBool);

#[async_trait]
impl Handler for Closed {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let outcome = if self.0.load(Ordering::SeqCst) { Outcome::Done } else { Outcome::retry("closed") };
        vec![outcome; records.len()]
    }
}

/// Waits until every member tells this lag.
async fn told(members: &[WorkerMetrics; 2], lag: i64) {
    let told = async {
        while members.iter().any(|member| member.lag.get() != lag) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(&format!("a lag of {lag}"), told).await;
}

pub(crate) async fn lag_metric_grows_while_records_wait_and_falls_back_to_zero(rig: impl Rig) {
    let (bus, topic, group) = (rig.bus(), rig.topic().await, rig.name("group"));
    let handler = Arc::new(Closed::default());
    let members = [WorkerMetrics::default(), WorkerMetrics::default()];
    let policy = Policy {
        backoff: Duration::from_millis(5),
        max_backoff: Duration::from_millis(20),
        lag_interval: Duration::from_millis(50),
        ..Policy::default()
    };
    let running = members.clone().map(|metrics| {
        let worker = Worker::new(&bus, &group, &[&topic]).policy(policy.clone()).metrics(metrics);
        Running::with(worker, handler.clone())
    });
    let batch = |count| (0..count).map(|n| record(&topic, &format!("key-{n}"), "value")).collect();

    bus.producer().send(batch(40)).await.expect("durable");
    told(&members, 40).await;
    bus.producer().send(batch(20)).await.expect("durable");
    told(&members, 60).await;
    handler.0.store(true, Ordering::SeqCst);
    told(&members, 0).await;

    for worker in running {
        worker.stop().await;
    }
    assert_eq!(members.iter().map(|member| member.consumed.get()).sum::<u64>(), 60);
}
