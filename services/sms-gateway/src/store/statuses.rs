//! Statuses: numbered per client for readers over HTTP, and in the outbox for the bus, in one transaction.

use std::collections::BTreeMap;

use bus::record::TRACEPARENT;
use bus::{Record, outbox};
use common::models::UnixMillis;
use common::models::sms::{ClientId, CorrelId, SmsStatus};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::upsert::excluded;
use telemetry::TraceContext;

use super::rows::StatusRow;
use super::schema::{sms_sequences, sms_statuses};
use super::{Rules, StoreError};
use crate::domain::attempt::Emission;

/// A status that has no number yet.
#[derive(Clone, Debug)]
pub(crate) struct NewStatus {
    pub(crate) client_id: ClientId,
    pub(crate) correl_id: CorrelId,
    pub(crate) emission: Emission,
    pub(crate) simulated: bool,
    /// Whether the recipient may get the message twice.
    pub(crate) possible_duplicate: bool,
    /// The trace of the request.
    pub(crate) trace: TraceContext,
}

impl From<&StatusRow> for SmsStatus {
    fn from(row: &StatusRow) -> Self {
        Self {
            client_id: row.client_id.clone(),
            correl_id: row.correl_id.clone(),
            timestamp: row.produced_at,
            sms_status: row.status,
            recall_id: row.recall_id.clone(),
            error_text: row.error_text.clone(),
            simulated: row.simulated,
            possible_duplicate: row.possible_duplicate,
        }
    }
}

/// Numbers and stores statuses, and puts their records into the outbox. They come out in the order they went in.
///
/// The last step of a transaction: the row of each client's number stays locked until the end, which makes the order of
/// the numbers the order in which readers can see them.
pub(crate) fn publish(
    conn: &mut DbConn,
    rules: &Rules,
    statuses: Vec<NewStatus>,
    now: UnixMillis,
) -> Result<Vec<StatusRow>, StoreError> {
    if statuses.is_empty() {
        return Ok(Vec::new());
    }
    let mut counts: BTreeMap<ClientId, i64> = BTreeMap::new();
    for status in &statuses {
        *counts.entry(status.client_id.clone()).or_default() += 1;
    }
    let mut next = reserve(conn, counts)?;
    let mut rows = Vec::with_capacity(statuses.len());
    for status in statuses {
        let Some(seq) = next.get_mut(&status.client_id) else { continue };
        *seq += 1;
        rows.push(StatusRow {
            client_id: status.client_id,
            seq: *seq,
            correl_id: status.correl_id,
            status: status.emission.status,
            recall_id: status.emission.recall_id,
            error_text: status.emission.error_text,
            simulated: status.simulated,
            produced_at: now,
            possible_duplicate: status.possible_duplicate,
            // A span of its own: by it the outbox tells this status from one with the same words.
            traceparent: Some(status.trace.child().to_string()),
        });
    }
    insert(conn, &rows)?;
    let records = rows.iter().map(|row| record(&rules.status_topic, row));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    outbox::push(conn, &records, now)?;
    Ok(rows)
}

enum Reserve {}

impl BatchSql for Reserve {
    // In the order of the clients, in which every transaction locks them.
    const SQL: &'static str = "INSERT INTO sms_sequences AS s ({n.*}) SELECT * FROM {n} ORDER BY client_id \
        ON CONFLICT (client_id) DO UPDATE SET last_seq = s.last_seq + excluded.last_seq \
        RETURNING client_id, last_seq";
    type Row = (Text, BigInt);
}

/// Moves each client's counter on, and gives where it stood.
fn reserve(
    conn: &mut DbConn,
    counts: BTreeMap<ClientId, i64>,
) -> Result<BTreeMap<ClientId, i64>, StoreError> {
    use sms_sequences::{client_id, last_seq, table};
    let reserved: Vec<(ClientId, i64)> = match conn {
        DbConn::Pg(c) => {
            let counts: Vec<(&ClientId, &i64)> = counts.iter().collect();
            let rows = Rows::of(&counts)
                .column::<Text, _>("client_id", |(client, _)| client.as_str())
                .column::<BigInt, _>("last_seq", |(_, count)| **count);
            BatchQuery::<Reserve>::new().rows("n", rows).load(c)?
        }
        DbConn::Sqlite(c) => counts
            .iter()
            .map(|(client, count)| {
                diesel::insert_into(table)
                    .values((client_id.eq(client), last_seq.eq(count)))
                    .on_conflict(client_id)
                    .do_update()
                    .set(last_seq.eq(last_seq + excluded(last_seq)))
                    .returning((client_id, last_seq))
                    .get_result(c)
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(reserved
        .into_iter()
        .map(|(id, last)| {
            let before = last - counts.get(&id).copied().unwrap_or_default();
            (id, before)
        })
        .collect())
}

enum Insert {}

impl BatchSql for Insert {
    const SQL: &'static str = "INSERT INTO sms_statuses ({n.*}) SELECT * FROM {n}";
    type Row = ();
}

fn insert(conn: &mut DbConn, rows: &[StatusRow]) -> QueryResult<()> {
    match conn {
        DbConn::Pg(c) => {
            let rows = Rows::of(rows)
                .column::<Text, _>("client_id", |row| row.client_id.as_str())
                .column::<BigInt, _>("seq", |row| row.seq)
                .column::<Text, _>("correl_id", |row| row.correl_id.as_str())
                .column::<Text, _>("status", |row| row.status.as_str())
                .column::<Nullable<Text>, _>("recall_id", |row| row.recall_id.as_deref())
                .column::<Nullable<Text>, _>("error_text", |row| row.error_text.as_deref())
                .column::<Bool, _>("simulated", |row| row.simulated)
                .column::<BigInt, _>("produced_at", |row| row.produced_at.as_i64())
                .column::<Bool, _>("possible_duplicate", |row| row.possible_duplicate)
                .column::<Nullable<Text>, _>("traceparent", |row| row.traceparent.as_deref());
            BatchQuery::<Insert>::new().rows("n", rows).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(sms_statuses::table).values(row).execute(c)?;
            }
        }
    }
    Ok(())
}

fn record(topic: &str, row: &StatusRow) -> Result<Record, StoreError> {
    let status = SmsStatus::from(row);
    let value = serde_json::to_vec(&status).map_err(StoreError::unreadable)?;
    let span = row.traceparent.as_deref().unwrap_or_default();
    Ok(Record::new(topic, status.key(), value).header(TRACEPARENT, span))
}

/// Reads a client's statuses behind `after`, in order.
pub(crate) fn since(
    conn: &mut DbConn,
    client: &ClientId,
    after: i64,
    limit: i64,
) -> Result<Vec<StatusRow>, StoreError> {
    use sms_statuses::{client_id, seq, table};
    Ok(table
        .filter(client_id.eq(client).and(seq.gt(after)))
        .order(seq)
        .limit(limit)
        .select(StatusRow::as_select())
        .load(conn)?)
}
