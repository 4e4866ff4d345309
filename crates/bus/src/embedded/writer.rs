//! The one thread that writes the file. It takes what has gathered, makes it one transaction, and only after the
//! commit (the fsync) shows it to consumers and answers the callers.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use diesel::{result::Error as SqlError, sqlite::SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Partition, Shared, State,
    store::{self, Keep},
};
use crate::{BusError, BusSettings, Record, TopicPartition, partitioner::partition_of};

/// Jobs in one transaction, and jobs that wait for the next; senders beyond that wait their turn.
const MAX_BATCH: usize = 1024;
/// Records that retention removes in one transaction, so that producers behind it wait for milliseconds only.
const TRIM_BATCH: i64 = 500;

/// Where the outcome goes; nobody may be waiting for it.
pub(super) type Reply = Option<oneshot::Sender<Result<(), String>>>;

/// A change of the file.
pub(super) enum Job {
    /// Appends records.
    Append { records: Vec<Record>, reply: Reply },
    /// Writes the group's offsets down.
    Commit { group: String, offsets: Vec<(TopicPartition, i64)>, reply: Reply },
    /// Makes the topics that do not exist.
    Ensure { topics: Vec<Arc<str>>, reply: Reply },
}

impl Job {
    fn into_reply(self) -> Reply {
        match self {
            Self::Append { reply, .. } | Self::Commit { reply, .. } | Self::Ensure { reply, .. } => reply,
        }
    }
}

/// The running thread.
pub(super) struct Writer {
    pub(super) jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Lets the thread finish what has been handed to it, and waits for its end.
    pub(super) fn join(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            tracing::error!("the embedded log's writer panicked");
        }
    }
}

/// Starts the thread.
pub(super) fn spawn(
    settings: &BusSettings,
    path: PathBuf,
    connection: SqliteConnection,
    shared: Arc<Shared>,
) -> Result<Writer, BusError> {
    let failed = |error| BusError::unavailable("start the embedded log's writer", error);
    let (jobs, queue) = mpsc::channel(MAX_BATCH);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let task = Task {
        path,
        connection: Some(connection),
        shared,
        partitions: settings.partitions,
        max_age: settings.retention.max_age,
        max_bytes: i64::try_from(settings.retention.max_partition_bytes).unwrap_or(i64::MAX),
        check_interval: settings.retention.check_interval,
        turn: 0,
    };
    let thread = std::thread::Builder::new()
        .name("bus-log-writer".into())
        .spawn(move || runtime.block_on(task.run(queue)))
        .map_err(failed)?;
    Ok(Writer { jobs, thread })
}

struct Task {
    path: PathBuf,
    connection: Option<SqliteConnection>,
    shared: Arc<Shared>,
    partitions: u32,
    max_age: Duration,
    max_bytes: i64,
    check_interval: Duration,
    /// Where the last record without a key went.
    turn: u32,
}

/// What a transaction changes; shown to others once it is committed.
#[derive(Default)]
struct Changes {
    partitions: HashMap<TopicPartition, Partition>,
    created: Vec<(Arc<str>, Vec<Partition>)>,
}

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(MAX_BATCH);
        let mut next_trim = Instant::now();
        loop {
            tokio::select! {
                biased;
                taken = queue.recv_many(&mut jobs, MAX_BATCH) => match taken {
                    0 => return,
                    _ => self.commit(std::mem::take(&mut jobs)),
                },
                () = tokio::time::sleep_until(next_trim) => {
                    let more = self.trim();
                    next_trim = Instant::now() + if more { Duration::ZERO } else { self.check_interval };
                }
            }
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let outcome = self.transaction(|task, connection| {
            let mut changes = Changes::default();
            for job in &jobs {
                task.apply(connection, job, &mut changes)?;
            }
            for partition in changes.partitions.values() {
                store::save_partition(connection, *partition)?;
            }
            Ok(changes)
        });
        match outcome {
            Ok(changes) => {
                self.publish(changes, &jobs);
                jobs.into_iter().filter_map(Job::into_reply).for_each(|reply| drop(reply.send(Ok(()))));
            }
            Err(error) => {
                let reason = format!("write the embedded log: {error}");
                tracing::error!(error = %reason, jobs = jobs.len(), "the embedded log could not be written");
                let replies = jobs.into_iter().filter_map(Job::into_reply);
                replies.for_each(|reply| drop(reply.send(Err(reason.clone()))));
            }
        }
    }

    fn apply(&mut self, c: &mut SqliteConnection, job: &Job, changes: &mut Changes) -> Result<(), SqlError> {
        match job {
            Job::Append { records, .. } => {
                let now = now_ms();
                for record in records {
                    let topic: Arc<str> = record.topic.as_str().into();
                    let count = self.ensure(c, &topic, changes)?;
                    let number = match &record.key {
                        Some(key) => partition_of(key, count),
                        None => {
                            self.turn = self.turn.wrapping_add(1);
                            self.turn % count
                        }
                    };
                    let at = TopicPartition::new(topic, number as i32);
                    let partition = self.extent(&at, changes).ok_or(SqlError::NotFound)?;
                    store::insert(c, partition, record, now)?;
                }
            }
            Job::Commit { group, offsets, .. } => {
                for (at, offset) in offsets {
                    let partition = self.shared.state().partition(at).ok_or(SqlError::NotFound)?;
                    store::save_offset(c, group, partition.id, *offset)?;
                }
            }
            Job::Ensure { topics, .. } => {
                for topic in topics {
                    self.ensure(c, topic, changes)?;
                }
            }
        }
        Ok(())
    }

    /// Makes `topic` if it does not exist; tells how many partitions it has.
    fn ensure(
        &self,
        c: &mut SqliteConnection,
        topic: &Arc<str>,
        changes: &mut Changes,
    ) -> Result<u32, SqlError> {
        if let Some(partitions) = self.shared.state().topics.get(topic) {
            return Ok(partitions.len() as u32);
        }
        if let Some((_, partitions)) = changes.created.iter().find(|(name, _)| name == topic) {
            return Ok(partitions.len() as u32);
        }
        let partitions = store::create_topic(c, topic, self.partitions)?;
        for (number, partition) in partitions.iter().enumerate() {
            changes.partitions.insert(TopicPartition::new(topic.clone(), number as i32), *partition);
        }
        changes.created.push((topic.clone(), partitions));
        Ok(self.partitions)
    }

    /// The extent of a partition as this transaction leaves it.
    fn extent<'a>(&self, at: &TopicPartition, changes: &'a mut Changes) -> Option<&'a mut Partition> {
        if !changes.partitions.contains_key(at) {
            changes.partitions.insert(at.clone(), self.shared.state().partition(at)?);
        }
        changes.partitions.get_mut(at)
    }

    fn publish(&self, changes: Changes, jobs: &[Job]) {
        let mut state = self.shared.state();
        let created = !changes.created.is_empty();
        state.topics.extend(changes.created);
        update(&mut state, &changes.partitions);
        for job in jobs {
            if let Job::Commit { group, offsets, .. } = job
                && let Some(group) = state.groups.get_mut(group)
            {
                offsets.iter().for_each(|(at, offset)| group.set_committed(at.clone(), *offset));
            }
        }
        let State { topics, groups, .. } = &mut *state;
        for group in groups.values_mut() {
            if created {
                group.rebalance(|topic| topics.get(topic).map_or(0, Vec::len));
            }
            group.wake_owners(changes.partitions.keys());
        }
    }

    /// Removes a batch of what is past its retention, and tells whether there may be more.
    fn trim(&mut self) -> bool {
        let max_age = i64::try_from(self.max_age.as_millis()).unwrap_or(i64::MAX);
        let keep =
            Keep { since_ms: now_ms().saturating_sub(max_age), max_bytes: self.max_bytes, batch: TRIM_BATCH };
        let mut all = HashMap::new();
        for (topic, partitions) in &self.shared.state().topics {
            for (number, partition) in partitions.iter().enumerate() {
                all.insert(TopicPartition::new(topic.clone(), number as i32), *partition);
            }
        }
        let outcome = self.transaction(|_, connection| {
            all.values_mut()
                .try_fold(false, |more, partition| Ok(store::trim(connection, partition, keep)? || more))
        });
        match outcome {
            Ok(more) => {
                update(&mut self.shared.state(), &all);
                more
            }
            Err(error) => {
                tracing::error!(%error, "retention could not trim the embedded log");
                false
            }
        }
    }

    /// Runs `body` in one transaction. After an error the connection is replaced: a failed rollback would
    /// otherwise leave it unusable for good.
    fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut Self, &mut SqliteConnection) -> Result<T, SqlError>,
    ) -> Result<T, BusError> {
        let mut connection = self.connection.take().map_or_else(|| store::connect(&self.path), Ok)?;
        let outcome = connection
            .immediate_transaction(|c| body(self, c))
            .map_err(|error| BusError::unavailable("transaction", error))?;
        self.connection = Some(connection);
        Ok(outcome)
    }
}

fn update(state: &mut State, partitions: &HashMap<TopicPartition, Partition>) {
    for (at, partition) in partitions {
        let slot = state.topics.get_mut(&at.topic).and_then(|all| all.get_mut(at.partition as usize));
        if let Some(slot) = slot {
            *slot = *partition;
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
