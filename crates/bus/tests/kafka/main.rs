//! `bus` on a real Apache Kafka: what only a broker can show, that is outages, security and foreign clients.
//! What every bus must do is in the conformance suite.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod foreign_clients;
mod outages;
mod provisioning;
mod reading;
mod security;
mod unused;

use std::time::Duration;

use bus::{Bus, BusError, BusKind, BusSettings, Consumer, Delivered, Event};

/// Long enough for a loaded machine; a test that works needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings(brokers: &str) -> BusSettings {
    BusSettings {
        kind: BusKind::Kafka,
        brokers: brokers.to_owned(),
        delivery_timeout: Duration::from_secs(60),
        ..BusSettings::default()
    }
}

fn open(brokers: &str) -> Bus {
    Bus::open(&settings(brokers), None).expect("settings of Kafka")
}

/// Asks until there is an answer: a single question is given up sooner than a busy broker may answer it.
async fn asked<T, F: Future<Output = Result<T, BusError>>>(question: impl Fn() -> F) -> T {
    let answered = tokio::time::timeout(PATIENCE, async {
        loop {
            match question().await {
                Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => return answer.unwrap(),
            }
        }
    });
    answered.await.expect("an answer before the deadline")
}

/// The next records; other events and transient errors are passed over.
async fn next_records(consumer: &mut Box<dyn Consumer>) -> Vec<Delivered> {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            match consumer.next(500).await {
                Ok(Event::Records(records)) => return records,
                Ok(_) => {}
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    });
    found.await.expect("records before the deadline")
}
