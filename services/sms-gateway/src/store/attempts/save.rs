//! Writes attempts back.

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use sms::message_id::response_key;

use super::Loaded;
use crate::domain::attempt::JobKey;
use crate::domain::state::JobState;
use crate::store::quotas::Changes;
use crate::store::rows::NewPart;
use crate::store::schema::{sms_jobs, sms_parts};
use crate::store::{Rules, StoreError};

/// Writes the jobs, those segments that have changed, and what is used of quotas. No further job may be locked behind it in
/// its transaction: see [`write`].
pub(crate) fn save(
    conn: &mut DbConn,
    rules: &Rules,
    loaded: Vec<Loaded>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut charges = Changes::default();
    write(conn, rules, loaded, (&mut charges, now))?;
    charges.save(conn)
}

/// Does as [`save`], and notes what is used of quotas, to be saved when no further job is locked: whoever held a client's
/// quota and waited for a job would be waited for by whoever has that job.
pub(crate) fn write(
    conn: &mut DbConn,
    rules: &Rules,
    mut loaded: Vec<Loaded>,
    (charges, now): (&mut Changes, UnixMillis),
) -> Result<(), StoreError> {
    let changes_hands = loaded.iter().any(|one| one.attempt.holds && !one.held);
    for one in &mut loaded {
        one.attempt.release_unsent();
        charges.note(&one.attempt.key.client_id, one.charge, (one.attempt.charged, one.left_at));
        if one.attempt.state == JobState::Delivered && one.delivered_at.is_none() {
            one.delivered_at = Some(now);
        }
        if changes_hands && one.held && !one.attempt.holds {
            give_ids_back(conn, &one.attempt.key)?;
        }
    }
    save_jobs(conn, &loaded, now)?;
    let parts = loaded.iter().flat_map(|one| {
        one.attempt.parts.iter().filter(|part| !one.before.contains(part)).map(|part| {
            let key = part.message_id.as_deref().map(|id| response_key(id, rules.id_base(&part.smsc)));
            NewPart::of(&one.attempt.key, part, key, now)
        })
    });
    save_parts(conn, &parts.collect::<Vec<_>>())
}

/// At once: no two attempts hold the same ids at any time, whatever the order in which rows are written.
fn give_ids_back(conn: &mut DbConn, key: &JobKey) -> Result<(), StoreError> {
    let row = sms_jobs::table.find((&key.client_id, &key.id));
    diesel::update(row).set(sms_jobs::holds.eq(false)).execute(conn)?;
    Ok(())
}

enum SaveJobs {}

impl BatchSql for SaveJobs {
    const SQL: &'static str = "UPDATE sms_jobs AS j SET state = n.state, holds = n.holds, emitted = n.emitted, \
        possible_duplicate = n.possible_duplicate, payload = CASE WHEN n.needs_payload THEN j.payload END, \
        due_at = n.due_at, tries = n.tries, segments = n.segments, reference = n.reference, smsc = n.smsc, \
        recall_id = n.recall_id, resends = n.resends, pinned = n.pinned, tried_smscs = n.tried_smscs, \
        left_at = n.left_at, charged = n.charged, delivered_at = n.delivered_at, updated_at = {now} \
        FROM {n} WHERE j.client_id = n.client_id AND j.id = n.id";
    type Row = ();
}

fn save_jobs(conn: &mut DbConn, loaded: &[Loaded], now: UnixMillis) -> Result<(), StoreError> {
    match conn {
        _ if loaded.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = Rows::of(loaded)
                .column::<Text, _>("client_id", |one| one.attempt.key.client_id.as_str())
                .column::<Text, _>("id", |one| one.attempt.key.id.as_str())
                .column::<Text, _>("state", |one| one.attempt.state.as_str())
                .column::<Bool, _>("holds", |one| one.attempt.holds)
                .column::<Integer, _>("emitted", |one| one.attempt.emitted.bits())
                .column::<Bool, _>("possible_duplicate", |one| one.attempt.possible_duplicate)
                .column::<Bool, _>("needs_payload", |one| one.attempt.needs_payload())
                .column::<Nullable<BigInt>, _>("due_at", |one| one.attempt.due_at.map(UnixMillis::as_i64))
                .column::<Integer, _>("tries", |one| one.tries)
                .column::<Integer, _>("segments", |one| one.attempt.segments)
                .column::<Integer, _>("reference", |one| one.reference)
                .column::<Nullable<Text>, _>("smsc", |one| one.attempt.smsc.as_ref().map(SmscName::as_str))
                .column::<Nullable<Text>, _>("recall_id", |one| one.attempt.recall_id.as_deref())
                .column::<Integer, _>("resends", |one| one.attempt.resends)
                .column::<Bool, _>("pinned", |one| one.attempt.is_pinned())
                .column::<Nullable<Text>, _>("tried_smscs", |one| one.attempt.tried_names())
                .column::<Nullable<BigInt>, _>("left_at", |one| one.left_at.map(UnixMillis::as_i64))
                .column::<Integer, _>("charged", |one| one.attempt.charged)
                .column::<Nullable<BigInt>, _>("delivered_at", |one| {
                    one.delivered_at.map(UnixMillis::as_i64)
                });
            let save = BatchQuery::<SaveJobs>::new().rows("n", rows);
            save.value::<BigInt, _>("now", now.as_i64()).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            use sms_jobs::{
                charged, delivered_at, due_at, emitted, holds, left_at, payload, pinned, possible_duplicate,
                recall_id, reference, resends, segments, smsc, state, table, tried_smscs, tries, updated_at,
            };
            for one in loaded {
                let attempt = &one.attempt;
                let dropped = (!attempt.needs_payload()).then(|| payload.eq(None::<String>));
                diesel::update(table.find((&attempt.key.client_id, &attempt.key.id)))
                    .set((
                        state.eq(attempt.state.as_str()),
                        holds.eq(attempt.holds),
                        emitted.eq(attempt.emitted.bits()),
                        possible_duplicate.eq(attempt.possible_duplicate),
                        dropped,
                        due_at.eq(attempt.due_at),
                        tries.eq(one.tries),
                        segments.eq(attempt.segments),
                        reference.eq(one.reference),
                        smsc.eq(&attempt.smsc),
                        recall_id.eq(attempt.recall_id.as_deref()),
                        resends.eq(attempt.resends),
                        pinned.eq(attempt.is_pinned()),
                        tried_smscs.eq(attempt.tried_names()),
                        left_at.eq(one.left_at),
                        charged.eq(attempt.charged),
                        delivered_at.eq(one.delivered_at),
                        updated_at.eq(now),
                    ))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

enum SaveParts {}

impl BatchSql for SaveParts {
    const SQL: &'static str = "INSERT INTO sms_parts ({n.*}) SELECT * FROM {n} \
        ON CONFLICT (client_id, job_id, part) DO UPDATE SET smsc = excluded.smsc, state = excluded.state, \
        message_id = excluded.message_id, message_key = excluded.message_key, refusal = excluded.refusal, \
        receipt = excluded.receipt, receipt_error = excluded.receipt_error, updated_at = excluded.updated_at";
    type Row = ();
}

fn save_parts(conn: &mut DbConn, rows: &[NewPart<'_>]) -> Result<(), StoreError> {
    match conn {
        _ if rows.is_empty() => {}
        DbConn::Pg(c) => {
            let rows = Rows::of(rows)
                .column::<Text, _>("client_id", |row| row.client_id.as_str())
                .column::<Text, _>("job_id", |row| row.job_id.as_str())
                .column::<Integer, _>("part", |row| row.part)
                .column::<Text, _>("smsc", |row| row.smsc.as_str())
                .column::<Text, _>("state", |row| row.state)
                .column::<Nullable<Text>, _>("message_id", |row| row.message_id)
                .column::<Nullable<Text>, _>("message_key", |row| row.message_key.as_deref())
                .column::<Nullable<BigInt>, _>("refusal", |row| row.refusal)
                .column::<Nullable<Text>, _>("receipt", |row| row.receipt)
                .column::<Nullable<Text>, _>("receipt_error", |row| row.receipt_error)
                .column::<BigInt, _>("updated_at", |row| row.updated_at.as_i64());
            BatchQuery::<SaveParts>::new().rows("n", rows).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(sms_parts::table)
                    .values(row)
                    .on_conflict((sms_parts::client_id, sms_parts::job_id, sms_parts::part))
                    .do_update()
                    .set(row)
                    .execute(c)?;
            }
        }
    }
    Ok(())
}
