//! The outbox and its relay on both databases, with a producer that does as the test says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bus::outbox::{self, Backlog, Relay, RelaySettings};
use bus::{BusError, Fingerprint, Producer, Record};
use common::models::UnixMillis;
use db::{Db, DbConn, DbError};
use diesel::connection::SimpleConnection;
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod leadership;
mod once;
mod publishing;
mod rows;

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// What a call of `send` does.
#[derive(Clone, Copy)]
enum Answer {
    Confirm,
    /// Nothing is written.
    Refuse,
    /// The first half is written, and the caller hears of a failure.
    BreakHalfway,
    /// Nothing is written until the producer is released.
    Hang,
    /// All is written, and the caller does not hear of it until the producer is released.
    WriteAndHang,
    /// All is written, and the caller hears of a timeout.
    WriteAndTimeOut,
}

/// A producer that keeps what was sent. Once its answers are used up it confirms.
#[derive(Default)]
struct Recorder {
    answers: Mutex<VecDeque<Answer>>,
    written: Mutex<Vec<Record>>,
    /// How often it was called.
    sends: AtomicUsize,
    hanging: Notify,
    release: Notify,
    limit: Option<usize>,
    /// How often the topic cannot be read.
    unreadable: Mutex<usize>,
}

impl Recorder {
    fn with(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn values(&self) -> Vec<String> {
        let written = self.written.lock().unwrap();
        written.iter().map(|record| String::from_utf8(record.value.clone().unwrap()).unwrap()).collect()
    }

    async fn wait_for(&self, count: usize) {
        testkit::wait::wait_until("records at the producer", || async {
            self.written.lock().unwrap().len() >= count
        })
        .await;
    }
}

#[async_trait]
impl Producer for Recorder {
    async fn send(&self, records: Vec<Record>) -> Result<(), BusError> {
        self.sends.fetch_add(1, Ordering::Relaxed);
        if let Some(large) =
            records.iter().find(|record| self.limit.is_some_and(|limit| record.size() > limit))
        {
            let (topic, size) = (large.topic.clone(), large.size());
            return Err(BusError::TooLarge { topic, size, limit: self.limit.unwrap_or_default() });
        }
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Confirm);
        let failure = || Err(BusError::unavailable("send", "by the test"));
        match answer {
            Answer::Confirm => {}
            Answer::Refuse => return failure(),
            Answer::BreakHalfway => {
                let half = records.len() / 2;
                self.written.lock().unwrap().extend(records.into_iter().take(half));
                return failure();
            }
            Answer::Hang => {
                self.hanging.notify_one();
                self.release.notified().await;
            }
            Answer::WriteAndHang => {
                self.written.lock().unwrap().extend(records);
                self.hanging.notify_one();
                self.release.notified().await;
                return Ok(());
            }
            Answer::WriteAndTimeOut => {
                self.written.lock().unwrap().extend(records);
                return Err(BusError::Timeout);
            }
        }
        self.written.lock().unwrap().extend(records);
        Ok(())
    }

    async fn recent(&self, topic: &str, since: UnixMillis) -> Result<Vec<Fingerprint>, BusError> {
        assert!(since < NOW, "the clocks may disagree");
        let mut unreadable = self.unreadable.lock().unwrap();
        if *unreadable > 0 {
            *unreadable -= 1;
            return Err(BusError::Timeout);
        }
        let written = self.written.lock().unwrap();
        Ok(written.iter().filter(|record| record.topic == topic).map(Fingerprint::of).collect())
    }
}

/// A pool on a fresh database with the table.
async fn with_table(test: &TestDb) -> Db {
    let db = test.open();
    db.write(|conn| {
        let sql = match conn {
            DbConn::Pg(_) => outbox::POSTGRES,
            DbConn::Sqlite(_) => outbox::SQLITE,
        };
        Ok::<_, DbError>(conn.batch_execute(sql)?)
    })
    .await
    .unwrap();
    db
}

fn record(value: impl ToString) -> Record {
    Record::new("topic", "key", value.to_string())
}

async fn push(db: &Db, values: impl IntoIterator<Item = impl ToString>) {
    let records: Vec<Record> = values.into_iter().map(record).collect();
    db.write(move |conn| outbox::push(conn, &records, NOW)).await.unwrap();
}

async fn backlog(db: &Db) -> Backlog {
    db.read(outbox::backlog).await.unwrap()
}

async fn wait_until_published(db: &Db) {
    testkit::wait::wait_until("an empty outbox", || async { backlog(db).await.pending == 0 }).await;
}

fn quick() -> RelaySettings {
    RelaySettings {
        poll: Duration::from_millis(20),
        first_backoff: Duration::from_millis(1),
        longest_backoff: Duration::from_millis(5),
        settle: Duration::ZERO,
        ..RelaySettings::default()
    }
}

/// A relay at work.
struct Running {
    relay: Relay,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(db: &Db, producer: &Arc<Recorder>, settings: RelaySettings) -> Self {
        Self::at(FakeClock::at(NOW), db, producer, settings)
    }

    fn at(clock: FakeClock, db: &Db, producer: &Arc<Recorder>, settings: RelaySettings) -> Self {
        let relay = Relay::new(db.clone(), producer.clone(), clock.shared(), settings);
        let cancel = CancellationToken::new();
        let task = tokio::spawn({
            let (relay, cancel) = (relay.clone(), cancel.clone());
            async move { relay.run(cancel).await }
        });
        Self { relay, cancel, task }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}
