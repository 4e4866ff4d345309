//! A bus that is opened and not used.

use bus::{Bus, BusKind, BusSettings};
use testkit::wait::wait_until;
use tokio::net::TcpListener;

/// A broker that takes connections and says nothing, and a bus on it.
async fn opened() -> (TcpListener, Bus) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let brokers = listener.local_addr().unwrap().to_string();
    let settings = BusSettings { kind: BusKind::Kafka, brokers, ..BusSettings::default() };
    (listener, Bus::open(&settings, None).unwrap())
}

async fn is_called(listener: &TcpListener) -> bool {
    tokio::time::timeout(std::time::Duration::from_millis(10), listener.accept()).await.is_ok()
}

#[tokio::test]
async fn only_a_process_that_wants_a_producer_connects() {
    let (idle, _unused) = opened().await;
    let (busy, used) = opened().await;

    let _producer = used.producer();

    wait_until("a connection", || is_called(&busy)).await;
    assert!(!is_called(&idle).await);
}
