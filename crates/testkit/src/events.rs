//! What a service has published, read after it has stopped.

use std::path::Path;

use bus::{Bus, BusSettings, Event, outbox};
use common::models::events::AccountEvent;
use db::{Db, DbError};

use crate::database::TestDb;
use crate::host::TestHost;
use crate::wait::{wait_for, wait_until};

/// Waits until the outbox of `section` is empty, stops the service, and reads every account event on the embedded bus
/// in `data`, in order per account.
///
/// # Panics
/// When the outbox does not empty in time, or a record is no account event.
pub async fn published(host: TestHost, section: &str, db: &TestDb, data: &Path) -> Vec<AccountEvent> {
    let tables = Db::new(db.settings(), section).expect("settings of a test database");
    wait_until("the outbox to be empty", || async {
        tables.read(|conn| Ok::<_, DbError>(outbox::backlog(conn)?.pending == 0)).await.expect("the outbox")
    })
    .await;
    host.stop().await;

    // Threads of the stopped service may hold the log for a moment longer.
    let open = || async { Bus::open(&BusSettings::default(), Some(data)).ok() };
    let bus = wait_for("the log of the stopped service", open).await;
    let partitions = bus.lag("test", AccountEvent::TOPIC).await.expect("the lag");
    let left: i64 = partitions.iter().map(|partition| partition.lag).sum();
    let mut consumer = bus.consumer("test", &[AccountEvent::TOPIC]).expect("a consumer");
    let mut events = Vec::new();
    while events.len() < usize::try_from(left).unwrap_or(usize::MAX) {
        if let Event::Records(records) = consumer.next(100).await.expect("records") {
            let decoded =
                records.iter().map(|record| AccountEvent::decode(record.bytes()).expect("an account event"));
            events.extend(decoded);
        }
    }
    events
}
