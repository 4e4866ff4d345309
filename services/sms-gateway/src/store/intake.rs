//! Takes a batch of requests: new attempts, replays, duplicates.

use std::borrow::Cow;
use std::collections::HashSet;

use common::models::UnixMillis;
use common::models::sms::{JobId, SmsState};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::rows::{DueRow, JobRow, StatusRow};
use super::schema::{sms_due_statuses, sms_jobs};
use super::statuses::{self, NewStatus};
use super::{Rules, StoreError, seals};
use crate::domain::attempt::Emission;
use crate::domain::state::{Emitted, JobState};

/// `error-text` of a request whose envelope came before.
const REPEATED_ENVELOPE: &str = "the encrypted message was used in another request; encrypt it anew";

/// A request that has been judged.
#[derive(Clone)]
pub(crate) struct NewAttempt {
    /// The job.
    pub(crate) row: JobRow,
    /// The status that ends it at once.
    pub(crate) emission: Option<Emission>,
    /// Statuses to come, of the loop-back client.
    pub(crate) due: Vec<DueRow>,
    /// Names the envelope, if it must not be taken from another record.
    pub(crate) seal: Option<String>,
}

impl NewAttempt {
    /// Ends it with its first status.
    pub(crate) fn ended(mut row: JobRow, status: SmsState, error_text: Option<String>) -> Self {
        let state = JobState::ended(status);
        row.state = state.as_str().into();
        row.holds = state.holds();
        row.payload = None;
        row.due_at = None;
        let mut emitted = Emitted::default();
        emitted.insert(status);
        row.emitted = emitted.bits();
        let emission = Some(Emission { status, recall_id: None, error_text });
        Self { row, emission, due: Vec::new(), seal: None }
    }
}

/// What became of a request.
#[derive(Clone)]
pub(crate) enum Taken {
    /// Stored, with the status that ended it.
    New(Option<StatusRow>),
    /// The same record had been taken before.
    Replay,
    /// Another attempt with the same ids is open or has succeeded.
    Duplicate,
}

/// Stores a batch. The same ids twice in it: the first one counts.
pub(crate) fn take(
    conn: &mut DbConn,
    rules: &Rules,
    batch: &[NewAttempt],
    now: UnixMillis,
) -> Result<Vec<Taken>, StoreError> {
    let repeated = seals::repeated(conn, batch)?;
    let mut batch = Cow::Borrowed(batch);
    // In order: what is refused here keeps nothing behind it out.
    let places =
        (0..batch.len()).filter(|place| batch.get(*place).is_some_and(|one| repeated.contains(&one.row.id)));
    for place in places.collect::<Vec<_>>() {
        // A record that a producer has sent twice is a duplicate like others, and nothing is told of it.
        if is_held(conn, &batch, place)? {
            continue;
        }
        if let Some(attempt) = batch.to_mut().get_mut(place) {
            let text = Some(REPEATED_ENVELOPE.to_owned());
            *attempt = NewAttempt::ended(attempt.row.clone(), SmsState::Invalid, text);
        }
    }
    let rows: Vec<&JobRow> = batch.iter().map(|attempt| &attempt.row).collect();
    let stored = insert(conn, &rows)?;

    let refused = rows.into_iter().filter(|row| !stored.contains(&row.id)).cloned().map(as_duplicate);
    let refused: Vec<JobRow> = refused.collect();
    // Only a row that clashes with a holder can be stored without holding; a replay clashes by its position again.
    let duplicates = insert(conn, &refused.iter().collect::<Vec<_>>())?;

    let kept = || batch.iter().filter(|attempt| stored.contains(&attempt.row.id));
    insert_due(conn, &kept().flat_map(|attempt| attempt.due.iter().cloned()).collect::<Vec<_>>())?;
    let new = kept().filter_map(|attempt| {
        Some(NewStatus {
            client_id: attempt.row.client_id.clone(),
            correl_id: attempt.row.correl_id.clone(),
            emission: attempt.emission.clone()?,
            simulated: false,
            possible_duplicate: false,
            trace: attempt.row.trace(),
        })
    });
    let mut published = statuses::publish(conn, rules, new.collect(), now)?.into_iter();
    Ok(batch
        .iter()
        .map(|attempt| match attempt.row.id.as_str() {
            id if stored.contains(id) => Taken::New(attempt.emission.as_ref().and_then(|_| published.next())),
            id if duplicates.contains(id) => Taken::Duplicate,
            _ => Taken::Replay,
        })
        .collect())
}

/// Tells whether another attempt with these ids, stored or before it in the batch, keeps this one out.
fn is_held(conn: &mut DbConn, batch: &[NewAttempt], place: usize) -> Result<bool, StoreError> {
    use sms_jobs::{client_id, correl_id, holds, table};
    let (before, from) = batch.split_at(place);
    let Some(row) = from.first().map(|attempt| &attempt.row) else { return Ok(false) };
    let same = |other: &JobRow| other.client_id == row.client_id && other.correl_id == row.correl_id;
    if before.iter().any(|other| other.row.holds && same(&other.row)) {
        return Ok(true);
    }
    let held = client_id.eq(&row.client_id).and(correl_id.eq(&row.correl_id)).and(holds.eq(true));
    let count: i64 = table.filter(held).count().get_result(conn)?;
    Ok(count > 0)
}

fn as_duplicate(mut row: JobRow) -> JobRow {
    row.state = JobState::Duplicate.as_str().into();
    row.holds = false;
    row.payload = None;
    row.due_at = None;
    row
}

enum Insert {}

impl BatchSql for Insert {
    // Nothing of it has been tried or sent. The state is no condition, lest the index of all that is unanswered be taken.
    const SQL: &'static str = "INSERT INTO sms_jobs \
        ({n.*}, possible_duplicate, tries, segments, reference, resends, pinned) \
        SELECT n.*, (SELECT coalesce(bool_or(j.state = 'unknown' \
        OR (j.state IN ('sent', 'delivered') AND NOT j.holds)), FALSE) FROM sms_jobs AS j \
        WHERE j.client_id = n.client_id AND j.correl_id = n.correl_id), 0, 0, 0, 0, FALSE FROM {n} \
        ON CONFLICT DO NOTHING RETURNING id";
    type Row = Text;
}

/// Inserts what no unique index refuses, and gives the ids of it. Those whose ids had an attempt that may have succeeded,
/// or that has while another one held the ids, are marked as possible duplicates.
fn insert(conn: &mut DbConn, rows: &[&JobRow]) -> Result<HashSet<JobId>, StoreError> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(match conn {
        DbConn::Pg(c) => {
            let rows = Rows::of(rows)
                .column::<Text, _>("client_id", |row| row.client_id.as_str())
                .column::<Text, _>("id", |row| row.id.as_str())
                .column::<Text, _>("correl_id", |row| row.correl_id.as_str())
                .column::<Text, _>("source_topic", |row| row.source_topic.as_str())
                .column::<Integer, _>("source_partition", |row| row.source_partition)
                .column::<BigInt, _>("source_offset", |row| row.source_offset)
                .column::<Text, _>("state", |row| row.state.as_str())
                .column::<Bool, _>("holds", |row| row.holds)
                .column::<Integer, _>("emitted", |row| row.emitted)
                .column::<Nullable<Text>, _>("traceparent", |row| row.traceparent.as_deref())
                .column::<Text, _>("class", |row| row.class.as_str())
                .column::<BigInt, _>("deadline", |row| row.deadline.as_i64())
                .column::<Nullable<Text>, _>("deadline_text", |row| row.deadline_text.as_deref())
                .column::<Nullable<Text>, _>("payload", |row| row.payload.as_deref())
                .column::<Nullable<BigInt>, _>("due_at", |row| row.due_at.map(UnixMillis::as_i64))
                .column::<BigInt, _>("created_at", |row| row.created_at.as_i64())
                .column::<BigInt, _>("updated_at", |row| row.updated_at.as_i64())
                .column::<Nullable<Text>, _>("recipient", |row| row.recipient.as_deref())
                .column::<Text, _>("route", |row| row.route.as_str());
            BatchQuery::<Insert>::new().rows("n", rows).load::<JobId>(c)?.into_iter().collect()
        }
        DbConn::Sqlite(c) => {
            let mut stored = HashSet::with_capacity(rows.len());
            for row in rows {
                let mut row = (*row).clone();
                row.possible_duplicate = may_have_succeeded(c, &row)?;
                let insert = diesel::insert_into(sms_jobs::table).values(&row).on_conflict_do_nothing();
                if insert.execute(c)? == 1 {
                    stored.insert(row.id);
                }
            }
            stored
        }
    })
}

/// See [`insert`].
fn may_have_succeeded(conn: &mut SqliteConnection, row: &JobRow) -> QueryResult<bool> {
    use sms_jobs::{client_id, correl_id, holds, state, table};
    let same = client_id.eq(&row.client_id).and(correl_id.eq(&row.correl_id));
    let unknown = state.eq(JobState::Unknown.as_str());
    let succeeded = state.eq_any([JobState::Sent, JobState::Delivered].map(JobState::as_str));
    let earlier = table.filter(same).filter(unknown.or(succeeded.and(holds.eq(false))));
    diesel::select(diesel::dsl::exists(earlier)).get_result(conn)
}

fn insert_due(conn: &mut DbConn, rows: &[DueRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    db::on_backend!(conn, |c| diesel::insert_into(sms_due_statuses::table).values(rows).execute(c))?;
    Ok(())
}
