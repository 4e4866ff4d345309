//! The file: tables, and the statements on them.
//!
//! A record's row id is its partition's id and its offset in one integer, so that a partition is a range of the
//! table's own tree, no second index is needed, and the log is read and trimmed in key order.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use diesel::{
    connection::SimpleConnection, dsl::max, prelude::*, result::Error as SqlError, sqlite::SqliteConnection,
};
use tokio::sync::Semaphore;

use super::{Partition, State, headers};
use crate::{BusError, Delivered, Fingerprint, Position, Record, TopicPartition};

diesel::table! {
    partitions (id) {
        id -> BigInt,
        topic -> Text,
        number -> Integer,
        start_offset -> BigInt,
        end_offset -> BigInt,
        bytes -> BigInt,
    }
}

diesel::table! {
    records (position) {
        position -> BigInt,
        timestamp_ms -> BigInt,
        size_bytes -> BigInt,
        key -> Nullable<Binary>,
        value -> Nullable<Binary>,
        headers -> Binary,
    }
}

diesel::table! {
    committed (group_name, partition_id) {
        group_name -> Text,
        partition_id -> BigInt,
        next_offset -> BigInt,
    }
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS partitions (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, bytes INTEGER NOT NULL,
    UNIQUE (topic, number));
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    key BLOB, value BLOB, headers BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS committed (
    group_name TEXT NOT NULL, partition_id INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (group_name, partition_id)) WITHOUT ROWID;";

/// 2^40 offsets a partition, 2^23 partitions.
const OFFSET_BITS: u32 = 40;

fn row_id(partition: i64, offset: i64) -> i64 {
    (partition << OFFSET_BITS) | offset
}

fn offset_of(row_id: i64) -> i64 {
    row_id & ((1 << OFFSET_BITS) - 1)
}

/// Opens the file. `synchronous=FULL` makes a commit in WAL mode wait for the disk: that is the promise.
pub(super) fn connect(path: &Path) -> Result<SqliteConnection, BusError> {
    let url = path.to_str().ok_or_else(|| BusError::Settings("the data directory is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(url)
        .map_err(|error| BusError::unavailable("open the embedded log", error))?;
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA cache_size = -8192;",
        )
        .map_err(|error| BusError::unavailable("open the embedded log", error))?;
    Ok(connection)
}

pub(super) fn create_schema(connection: &mut SqliteConnection) -> Result<(), BusError> {
    connection
        .immediate_transaction(|c| c.batch_execute(SCHEMA))
        .map_err(|error| BusError::unavailable("create the embedded log's tables", error))
}

/// Reads what the last process left.
pub(super) fn load_state(connection: &mut SqliteConnection) -> Result<State, BusError> {
    load(connection).map_err(|error| BusError::unavailable("read the embedded log", error))
}

fn load(connection: &mut SqliteConnection) -> Result<State, SqlError> {
    let mut state = State::default();
    let mut names = HashMap::new();
    let rows: Vec<(i64, String, i32, i64, i64, i64)> =
        partitions::table.order((partitions::topic, partitions::number)).load(connection)?;
    for (id, topic, number, start, end, bytes) in rows {
        let topic: Arc<str> = topic.into();
        names.insert(id, TopicPartition::new(topic.clone(), number));
        state.topics.entry(topic).or_default().push(Partition { id, start, end, bytes });
    }
    let rows: Vec<(String, i64, i64)> = committed::table.load(connection)?;
    for (name, id, offset) in rows {
        if let Some(at) = names.get(&id) {
            state.groups.entry(name).or_default().set_committed(at.clone(), offset);
        }
    }
    Ok(state)
}

/// Makes the partitions of a new topic.
pub(super) fn create_topic(
    connection: &mut SqliteConnection,
    topic: &str,
    count: u32,
) -> Result<Vec<Partition>, SqlError> {
    let last: Option<i64> = partitions::table.select(max(partitions::id)).first(connection)?;
    let first = last.map_or(0, |id| id + 1);
    (0..count)
        .map(|number| {
            let partition = Partition { id: first + i64::from(number), start: 0, end: 0, bytes: 0 };
            diesel::insert_into(partitions::table)
                .values((
                    partitions::id.eq(partition.id),
                    partitions::topic.eq(topic),
                    partitions::number.eq(number as i32),
                    partitions::start_offset.eq(0),
                    partitions::end_offset.eq(0),
                    partitions::bytes.eq(0),
                ))
                .execute(connection)?;
            Ok(partition)
        })
        .collect()
}

/// Writes a record at the end of `partition`, which the caller moves and saves.
pub(super) fn insert(
    connection: &mut SqliteConnection,
    partition: &mut Partition,
    record: &Record,
    timestamp_ms: i64,
) -> Result<(), SqlError> {
    let size = record.size() as i64;
    diesel::insert_into(records::table)
        .values((
            records::position.eq(row_id(partition.id, partition.end)),
            records::timestamp_ms.eq(timestamp_ms),
            records::size_bytes.eq(size),
            records::key.eq(&record.key),
            records::value.eq(&record.value),
            records::headers.eq(headers::encode(&record.headers)),
        ))
        .execute(connection)?;
    partition.end += 1;
    partition.bytes += size;
    Ok(())
}

pub(super) fn save_partition(
    connection: &mut SqliteConnection,
    partition: Partition,
) -> Result<(), SqlError> {
    diesel::update(partitions::table.find(partition.id))
        .set((
            partitions::start_offset.eq(partition.start),
            partitions::end_offset.eq(partition.end),
            partitions::bytes.eq(partition.bytes),
        ))
        .execute(connection)
        .map(drop)
}

pub(super) fn save_offset(
    connection: &mut SqliteConnection,
    group: &str,
    partition: i64,
    offset: i64,
) -> Result<(), SqlError> {
    diesel::insert_into(committed::table)
        .values((
            committed::group_name.eq(group),
            committed::partition_id.eq(partition),
            committed::next_offset.eq(offset),
        ))
        .on_conflict((committed::group_name, committed::partition_id))
        .do_update()
        .set(committed::next_offset.eq(offset))
        .execute(connection)
        .map(drop)
}

/// What retention allows a partition to keep.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// Records before this time go.
    pub(super) since_ms: i64,
    /// The oldest records go while there are more bytes than this.
    pub(super) max_bytes: i64,
    /// At most so many records are removed at once.
    pub(super) batch: i64,
}

/// Removes old records of `partition`, oldest first, and tells whether the batch was full: there may be more.
pub(super) fn trim(
    connection: &mut SqliteConnection,
    partition: &mut Partition,
    keep: Keep,
) -> Result<bool, SqlError> {
    let oldest: Vec<(i64, i64, i64)> = records::table
        .filter(records::position.ge(row_id(partition.id, partition.start)))
        .filter(records::position.lt(row_id(partition.id, partition.end)))
        .order(records::position)
        .limit(keep.batch)
        .select((records::position, records::timestamp_ms, records::size_bytes))
        .load(connection)?;
    let before = *partition;
    for (position, timestamp_ms, size) in oldest {
        if timestamp_ms >= keep.since_ms && partition.bytes <= keep.max_bytes {
            break;
        }
        partition.start = offset_of(position) + 1;
        partition.bytes -= size;
    }
    if partition.start == before.start {
        return Ok(false);
    }
    diesel::delete(
        records::table
            .filter(records::position.ge(row_id(before.id, before.start)))
            .filter(records::position.lt(row_id(before.id, partition.start))),
    )
    .execute(connection)?;
    save_partition(connection, *partition)?;
    Ok(partition.start - before.start >= keep.batch)
}

/// A stretch of a partition to be read.
pub(super) struct Span {
    pub(super) at: TopicPartition,
    pub(super) partition: i64,
    pub(super) from: i64,
    pub(super) until: i64,
}

/// How much a read may return. The bytes are exceeded by no more than one record.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    pub(super) records: usize,
    pub(super) bytes: i64,
}

/// A few reading connections, opened when they are needed.
pub(super) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

impl Reader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), permits: Semaphore::new(4) }
    }

    /// Waits for a turn to read; held while reading, it bounds the connections.
    pub(super) async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, BusError> {
        self.permits.acquire().await.map_err(|_| BusError::Closed)
    }

    /// Reads from `spans` in order until the budget is used up. Blocks.
    pub(super) fn read(&self, spans: &[Span], mut budget: Budget) -> Result<Vec<Delivered>, BusError> {
        self.connected(|connection| {
            let mut found = Vec::new();
            for span in spans {
                read_span(connection, span, &mut budget, &mut found)?;
            }
            Ok(found)
        })
    }

    /// Reads what the records of `spans` are that were taken at `since_ms` or later. Blocks.
    pub(super) fn fingerprints(&self, spans: &[Span], since_ms: i64) -> Result<Vec<Fingerprint>, BusError> {
        self.connected(|connection| {
            let mut found = Vec::new();
            for span in spans {
                read_fingerprints(connection, span, since_ms, &mut found)?;
            }
            Ok(found)
        })
    }

    fn connected<T>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| connect(&self.path), Ok)?;
        let found = read(&mut connection)?;
        // After an error the connection is not put back: the next read opens a fresh one.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(found)
    }
}

type Row = (i64, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

fn read_span(
    connection: &mut SqliteConnection,
    span: &Span,
    budget: &mut Budget,
    found: &mut Vec<Delivered>,
) -> Result<(), BusError> {
    if budget.records == 0 || budget.bytes <= 0 {
        return Ok(());
    }
    let rows = records::table
        .filter(records::position.ge(row_id(span.partition, span.from)))
        .filter(records::position.lt(row_id(span.partition, span.until)))
        .order(records::position)
        .limit(budget.records as i64)
        .load_iter::<Row, diesel::connection::DefaultLoadingMode>(connection)
        .map_err(failed)?;
    for row in rows {
        let (position, timestamp_ms, size, key, value, encoded) = row.map_err(failed)?;
        let at = &span.at;
        let position =
            Position { topic: at.topic.clone(), partition: at.partition, offset: offset_of(position) };
        let headers = headers::decode(&encoded).ok_or_else(|| failed(format!("{position} is damaged")))?;
        found.push(Delivered { position, timestamp_ms, key, value, headers });
        budget.records -= 1;
        budget.bytes -= size;
        if budget.bytes <= 0 {
            break;
        }
    }
    Ok(())
}

fn read_fingerprints(
    connection: &mut SqliteConnection,
    span: &Span,
    since_ms: i64,
    found: &mut Vec<Fingerprint>,
) -> Result<(), BusError> {
    type Contents = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);
    let rows = records::table
        .filter(records::position.ge(row_id(span.partition, span.from)))
        .filter(records::position.lt(row_id(span.partition, span.until)))
        .filter(records::timestamp_ms.ge(since_ms))
        .select((records::key, records::value, records::headers))
        .load_iter::<Contents, diesel::connection::DefaultLoadingMode>(connection)
        .map_err(failed)?;
    for row in rows {
        let (key, value, encoded) = row.map_err(failed)?;
        let headers =
            headers::decode(&encoded).ok_or_else(|| failed(format!("a record of {} is damaged", span.at)))?;
        found.push(Fingerprint::new(key.as_deref(), value.as_deref(), &headers));
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> BusError {
    BusError::unavailable("read the embedded log", error)
}
