//! The embedded log: topics, partitions, groups and committed offsets in one SQLite file, for one process.
//!
//! One thread writes ([`writer`]): whatever has gathered while the last transaction committed is the next one, so
//! concurrent producers share an fsync. Consumers read on connections of their own and are woken after a commit.
//! Groups live in memory ([`group`]), since all their members are in this process; their offsets are in the file.

mod assignment;
mod consumer;
mod group;
mod headers;
mod store;
mod writer;

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use common::models::UnixMillis;
use tokio::sync::oneshot;

use self::{
    consumer::LogConsumer,
    group::Group,
    store::{Reader, Span},
    writer::Job,
};
use crate::{
    Backend, BusError, BusSettings, Consumer, Fingerprint, PartitionLag, Producer, Record, TopicPartition,
    recent::RECENT_RECORDS,
};

const FILE: &str = "bus.sqlite";
const LOCK_FILE: &str = "bus.lock";

/// Opens, and locks, `bus.sqlite` in `data_dir`.
pub(crate) fn open(settings: &BusSettings, data_dir: &Path) -> Result<Arc<dyn Backend>, BusError> {
    if settings.partitions == 0 {
        return Err(BusError::Settings("partitions must be at least 1".into()));
    }
    let lock = lock_file(data_dir)?;
    let path = data_dir.join(FILE);
    // SQLite gives its other files the mode of this one.
    owned(&path).map_err(|error| BusError::unavailable("open the embedded log", error))?;
    let mut connection = store::connect(&path)?;
    store::create_schema(&mut connection)?;
    let shared = Arc::new(Shared {
        state: Mutex::new(store::load_state(&mut connection)?),
        reader: Reader::new(path.clone()),
        drain_deadline: settings.drain_deadline(),
    });
    let writer = writer::spawn(settings, path, connection, shared.clone())?;
    let log = Log {
        shared,
        writer: Some(writer),
        max_record_bytes: settings.max_record_bytes,
        delivery_timeout: settings.delivery_timeout,
        _lock: lock,
    };
    Ok(Arc::new(Embedded(Arc::new(log))))
}

/// The lock is on a file of its own: SQLite takes, and on close drops, POSIX locks on the database file.
fn lock_file(data_dir: &Path) -> Result<File, BusError> {
    let path = data_dir.join(LOCK_FILE);
    std::fs::create_dir_all(data_dir)
        .and_then(|()| owned(&path))
        .map_err(|error| BusError::unavailable("open the bus lock file", error))
        .and_then(|file| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(BusError::Locked { path }),
            Err(TryLockError::Error(error)) => Err(BusError::unavailable("lock the bus lock file", error)),
        })
}

/// Opens a file; makes it, for its owner alone, if it is not there.
fn owned(path: &Path) -> std::io::Result<File> {
    File::options().create(true).write(true).truncate(false).mode(0o600).open(path)
}

/// What the writing thread and the consumers share.
struct Shared {
    state: Mutex<State>,
    reader: Reader,
    drain_deadline: Duration,
}

impl Shared {
    /// Every change under this lock is complete before anything can panic, so a poisoned one is sound.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is committed to the file, and who consumes it.
#[derive(Default)]
struct State {
    topics: HashMap<Arc<str>, Vec<Partition>>,
    groups: HashMap<String, Group>,
    last_member: u64,
}

/// The extent of a partition: records from `start` up to, not including, `end` are in the file.
#[derive(Clone, Copy, Debug)]
struct Partition {
    id: i64,
    start: i64,
    end: i64,
    bytes: i64,
}

impl State {
    fn partition(&self, at: &TopicPartition) -> Option<Partition> {
        self.topics.get(&at.topic)?.get(usize::try_from(at.partition).ok()?).copied()
    }

    /// All partitions of `topics` that exist.
    fn partitions_of<'a>(&self, topics: impl Iterator<Item = &'a Arc<str>>) -> Vec<TopicPartition> {
        topics
            .flat_map(|topic| {
                let count = self.topics.get(topic).map_or(0, Vec::len);
                (0..count).map(|number| TopicPartition::new(topic.clone(), number as i32))
            })
            .collect()
    }
}

/// The open log. The writing thread has ended, and the lock is free, when this is dropped.
struct Log {
    shared: Arc<Shared>,
    writer: Option<writer::Writer>,
    max_record_bytes: usize,
    delivery_timeout: Duration,
    _lock: File,
}

impl Log {
    /// Hands a job to the writer and waits until its transaction is durable.
    async fn write(&self, job: impl FnOnce(writer::Reply) -> Job) -> Result<(), BusError> {
        let (reply, done) = oneshot::channel();
        let written = async {
            self.jobs()?.send(job(Some(reply))).await.map_err(|_| BusError::Closed)?;
            done.await.map_err(|_| BusError::Closed)?.map_err(|reason| BusError::Unavailable { reason })
        };
        tokio::time::timeout(self.delivery_timeout, written).await.unwrap_or(Err(BusError::Timeout))
    }

    fn jobs(&self) -> Result<&tokio::sync::mpsc::Sender<Job>, BusError> {
        self.writer.as_ref().map(|writer| &writer.jobs).ok_or(BusError::Closed)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.join();
        }
    }
}

/// The log as a [`Backend`].
struct Embedded(Arc<Log>);

#[async_trait]
impl Backend for Embedded {
    fn producer(&self) -> Arc<dyn Producer> {
        Arc::new(LogProducer(self.0.clone()))
    }

    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        topics.iter().try_for_each(|topic| check_topic(topic))?;
        Ok(Box::new(LogConsumer::new(self.0.clone(), group, topics)))
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.0.write(|reply| Job::Ensure { topics: Vec::new(), reply }).await
    }

    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, BusError> {
        let state = self.0.shared.state();
        let group = state.groups.get(group);
        Ok(state
            .partitions_of([Arc::from(topic)].iter())
            .into_iter()
            .filter_map(|at| {
                let Partition { start, end, .. } = state.partition(&at)?;
                let committed = group.and_then(|group| group.committed(&at));
                let lag = end - committed.unwrap_or(start).max(start);
                Some(PartitionLag { partition: at.partition, committed, end, lag })
            })
            .collect())
    }
}

struct LogProducer(Arc<Log>);

#[async_trait]
impl Producer for LogProducer {
    async fn send(&self, records: Vec<Record>) -> Result<(), BusError> {
        let limit = self.0.max_record_bytes;
        for record in &records {
            check_topic(&record.topic)?;
            if record.size() > limit {
                let topic = record.topic.clone();
                return Err(BusError::TooLarge { topic, size: record.size(), limit });
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        self.0.write(|reply| Job::Append { records, reply }).await
    }

    async fn recent(&self, topic: &str, since: UnixMillis) -> Result<Vec<Fingerprint>, BusError> {
        // An append that was not waited for may still be before the writer; it is done when this is.
        self.0.write(|reply| Job::Ensure { topics: Vec::new(), reply }).await?;
        let spans: Vec<Span> = {
            let state = self.0.shared.state();
            let all = state.partitions_of([Arc::from(topic)].iter()).into_iter();
            all.filter_map(|at| {
                let Partition { id, start, end, .. } = state.partition(&at)?;
                Some(Span { at, partition: id, from: start.max(end - RECENT_RECORDS), until: end })
            })
            .collect()
        };
        let _turn = self.0.shared.reader.turn().await?;
        let log = self.0.clone();
        let read = move || log.shared.reader.fingerprints(&spans, since.as_i64());
        tokio::task::spawn_blocking(read).await.map_err(|_| BusError::Closed)?
    }
}

/// Kafka's rule for topic names, so that what works here works there.
fn check_topic(name: &str) -> Result<(), BusError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=249).contains(&name.len()) && name.bytes().all(legal) && name != "." && name != ".." {
        return Ok(());
    }
    Err(BusError::Settings(format!("{name:?} is not a topic name: 1 to 249 of a-z A-Z 0-9 . _ -")))
}
