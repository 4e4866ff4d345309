//! Envelopes, and the counters of the mailboxes that hold them.

use common::models::{AccountId, DeviceId, EnvelopeId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Text};

use super::rows::{EnvelopeKey, EnvelopeRow, MailboxRow, NewEnvelope, RemovedRow};
use super::schema::{envelopes, mailboxes};
use crate::domain::MailboxId;

enum Store {}

impl BatchSql for Store {
    const SQL: &'static str = "WITH stored AS (INSERT INTO envelopes ({e.*}) SELECT * FROM {e}) \
        UPDATE mailboxes AS m SET next_seq = c.next_seq, envelope_count = c.envelopes, byte_count = c.bytes, \
        full_told = c.full_told, urgent_waits = c.urgent_waits FROM {c} WHERE m.account_id = c.account_id AND m.device_id = c.device_id";
    type Row = ();
}

/// Stores envelopes, and the counters of the mailboxes that changed.
pub(crate) fn store(
    conn: &mut DbConn,
    new: &[NewEnvelope<'_>],
    changed: &[MailboxRow],
) -> Result<(), DbError> {
    match conn {
        _ if changed.is_empty() => {}
        DbConn::Pg(c) => {
            let envelopes = Rows::of(new)
                .column::<Text, _>("account_id", |row| row.account_id.as_str())
                .column::<Integer, _>("device_id", |row| row.device_id.as_i32())
                .column::<BigInt, _>("seq", |row| row.seq)
                .column::<Text, _>("guid", |row| row.guid.as_str())
                .column::<Integer, _>("kind", |row| row.kind)
                .column::<Text, _>("source_account", |row| row.source_account.as_str())
                .column::<Integer, _>("source_device", |row| row.source_device.as_i32())
                .column::<BigInt, _>("client_timestamp", |row| row.client_timestamp.as_i64())
                .column::<BigInt, _>("server_timestamp", |row| row.server_timestamp.as_i64())
                .column::<Binary, _>("content", |row| row.content)
                .column::<Integer, _>("content_bytes", |row| row.content_bytes)
                .column::<Bool, _>("urgent", |row| row.urgent)
                .column::<BigInt, _>("expires_at", |row| row.expires_at.as_i64());
            let counters = Rows::of(changed)
                .column::<Text, _>("account_id", |row| row.account_id.as_str())
                .column::<Integer, _>("device_id", |row| row.device_id.as_i32())
                .column::<BigInt, _>("next_seq", |row| row.next_seq)
                .column::<BigInt, _>("envelopes", |row| row.envelope_count)
                .column::<BigInt, _>("bytes", |row| row.byte_count)
                .column::<Bool, _>("full_told", |row| row.full_told)
                .column::<Bool, _>("urgent_waits", |row| row.urgent_waits);
            BatchQuery::<Store>::new().rows("e", envelopes).rows("c", counters).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for envelope in new {
                diesel::insert_into(envelopes::table).values(envelope).execute(c)?;
            }
            for row in changed {
                diesel::update(mailboxes::table.find((row.account_id, row.device_id)))
                    .set((
                        mailboxes::next_seq.eq(row.next_seq),
                        mailboxes::envelope_count.eq(row.envelope_count),
                        mailboxes::byte_count.eq(row.byte_count),
                        mailboxes::full_told.eq(row.full_told),
                        mailboxes::urgent_waits.eq(row.urgent_waits),
                    ))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

enum RemoveThrough {}

impl BatchSql for RemoveThrough {
    const SQL: &'static str = "DELETE FROM envelopes AS e USING {r} WHERE e.account_id = r.account_id \
        AND e.device_id = r.device_id AND e.seq <= r.through \
        RETURNING e.account_id, e.device_id, e.content_bytes";
    type Row = (Text, Integer, Integer);
}

/// Removes everything up to a `seq` of each mailbox. The mailboxes are locked.
pub(crate) fn remove_through(
    conn: &mut DbConn,
    ends: &[(MailboxId, i64)],
) -> Result<Vec<RemovedRow>, DbError> {
    let mut rows = Vec::new();
    match conn {
        _ if ends.is_empty() => {}
        DbConn::Pg(c) => {
            let ends = Rows::of(ends)
                .column::<Text, _>("account_id", |(id, _)| id.account.as_str())
                .column::<Integer, _>("device_id", |(id, _)| id.device.as_i32())
                .column::<BigInt, _>("through", |(_, through)| *through);
            let remove = BatchQuery::<RemoveThrough>::new().rows("r", ends);
            let removed: Vec<(AccountId, DeviceId, i32)> = remove.load(c)?;
            rows.extend(removed.into_iter().map(removed_row));
        }
        DbConn::Sqlite(c) => {
            for (id, through) in ends {
                let acked = envelopes::table
                    .filter(envelopes::account_id.eq(id.account))
                    .filter(envelopes::device_id.eq(id.device))
                    .filter(envelopes::seq.le(through));
                let sizes: Vec<i32> =
                    diesel::delete(acked).returning(envelopes::content_bytes).get_results(c)?;
                rows.extend(sizes.into_iter().map(|size| removed_row((id.account, id.device, size))));
            }
        }
    }
    Ok(rows)
}

enum RemoveThese {}

impl BatchSql for RemoveThese {
    const SQL: &'static str = "DELETE FROM envelopes AS e USING {r} WHERE e.account_id = r.account_id \
        AND e.device_id = r.device_id AND e.seq = r.seq AND e.guid = r.guid \
        RETURNING e.account_id, e.device_id, e.content_bytes";
    type Row = (Text, Integer, Integer);
}

/// Removes single envelopes. Their mailboxes are locked.
pub(crate) fn remove_these(conn: &mut DbConn, keys: &[EnvelopeKey]) -> Result<Vec<RemovedRow>, DbError> {
    let mut rows = Vec::new();
    match conn {
        _ if keys.is_empty() => {}
        DbConn::Pg(c) => {
            let keys = Rows::of(keys)
                .column::<Text, _>("account_id", |key| key.mailbox.account.as_str())
                .column::<Integer, _>("device_id", |key| key.mailbox.device.as_i32())
                .column::<BigInt, _>("seq", |key| key.seq)
                .column::<Text, _>("guid", |key| key.guid.as_str());
            let remove = BatchQuery::<RemoveThese>::new().rows("r", keys);
            let removed: Vec<(AccountId, DeviceId, i32)> = remove.load(c)?;
            rows.extend(removed.into_iter().map(removed_row));
        }
        DbConn::Sqlite(c) => {
            for EnvelopeKey { mailbox: id, seq, guid } in keys {
                let acked =
                    envelopes::table.find((id.account, id.device, seq)).filter(envelopes::guid.eq(guid));
                let sizes: Vec<i32> =
                    diesel::delete(acked).returning(envelopes::content_bytes).get_results(c)?;
                rows.extend(sizes.into_iter().map(|size| removed_row((id.account, id.device, size))));
            }
        }
    }
    Ok(rows)
}

fn removed_row((account, device, bytes): (AccountId, DeviceId, i32)) -> RemovedRow {
    RemovedRow { mailbox: MailboxId { account, device }, bytes: i64::from(bytes) }
}

/// Where a page begins and what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// Only envelopes of a greater `seq`.
    pub(crate) after: i64,
    /// Most envelopes.
    pub(crate) limit: usize,
    /// Most bytes of content; the first envelope always fits.
    pub(crate) bytes: usize,
}

/// Reads the envelopes after a `seq`, in order, and tells whether more follow. Lengths are read first, so that content
/// beyond the page stays where it is.
pub(crate) fn page(
    conn: &mut DbConn,
    id: MailboxId,
    request: PageRequest,
) -> Result<(Vec<EnvelopeRow>, bool), DbError> {
    let held = || {
        envelopes::table
            .filter(envelopes::account_id.eq(id.account))
            .filter(envelopes::device_id.eq(id.device))
            .filter(envelopes::seq.gt(request.after))
    };
    let one_more = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let sizes: Vec<(i64, i32)> = held()
        .order(envelopes::seq)
        .limit(one_more)
        .select((envelopes::seq, envelopes::content_bytes))
        .load(conn)?;
    let fitting = fitting(&sizes, request);
    let Some((last, _)) = sizes.get(..fitting).and_then(<[_]>::last) else {
        return Ok((Vec::new(), false));
    };
    let rows = held()
        .filter(envelopes::seq.le(last))
        .order(envelopes::seq)
        .select(EnvelopeRow::as_select())
        .load(conn)?;
    Ok((rows, sizes.len() > fitting))
}

/// How many of these envelopes fit.
fn fitting(sizes: &[(i64, i32)], request: PageRequest) -> usize {
    let mut bytes = 0;
    let fits = sizes.iter().take(request.limit).enumerate().take_while(|(place, (_, size))| {
        bytes += usize::try_from(*size).unwrap_or(0);
        *place == 0 || bytes <= request.bytes
    });
    fits.count()
}

/// Finds which of these ids are in a mailbox, by the `seq` they have there.
pub(crate) fn locate(
    conn: &mut DbConn,
    id: MailboxId,
    guids: &[EnvelopeId],
) -> Result<Vec<EnvelopeKey>, DbError> {
    let found: Vec<(i64, EnvelopeId)> = envelopes::table
        .filter(envelopes::account_id.eq(id.account))
        .filter(envelopes::device_id.eq(id.device))
        .filter(envelopes::guid.eq_any(guids))
        .select((envelopes::seq, envelopes::guid))
        .load(conn)?;
    Ok(found.into_iter().map(|(seq, guid)| EnvelopeKey { mailbox: id, seq, guid }).collect())
}

/// Finds up to `limit` envelopes whose time has passed, the oldest first.
pub(crate) fn expired(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<Vec<EnvelopeKey>, DbError> {
    let found: Vec<(AccountId, DeviceId, i64, EnvelopeId)> = envelopes::table
        .filter(envelopes::expires_at.le(now))
        .order(envelopes::expires_at)
        .limit(limit)
        .select((envelopes::account_id, envelopes::device_id, envelopes::seq, envelopes::guid))
        .load(conn)?;
    let key =
        |(account, device, seq, guid)| EnvelopeKey { mailbox: MailboxId { account, device }, seq, guid };
    Ok(found.into_iter().map(key).collect())
}
