//! Sends that need no decision, judged and stored by one statement of PostgreSQL.
//!
//! Plain is a send to exactly the devices that are open, each with room for all that the batch brings it, of which
//! nobody has to be told, and to an account that blocks nobody. The statement stores those and passes over the others, whose sender is to get an answer that
//! only [`batch`](crate::domain::batch) can give.

use std::collections::HashSet;

use common::models::UnixMillis;
use db::{BatchQuery, BatchSql, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text};

use super::idempotency::NewKey;
use crate::domain::{Copy, MailboxId, Send};

/// A send that may be plain.
pub(crate) struct Candidate<'a> {
    /// Which of the batch.
    pub(crate) number: i32,
    pub(crate) send: &'a Send,
    pub(crate) key: Option<NewKey<'a>>,
}

/// One device's copy of a candidate.
pub(crate) struct CandidateCopy<'a> {
    /// Of which candidate.
    pub(crate) number: i32,
    pub(crate) mailbox: MailboxId,
    pub(crate) copy: &'a Copy,
    pub(crate) guid: &'a str,
    pub(crate) urgent: bool,
}

/// What the statement judges by.
pub(crate) struct Terms {
    /// Most envelopes of a mailbox.
    pub(crate) most: i64,
    /// Most bytes of content of a mailbox.
    pub(crate) most_bytes: i64,
    pub(crate) now: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

enum Store {}

impl BatchSql for Store {
    // The lock comes first: each later part takes the mailboxes from it. Their keys come before their envelopes, so
    // that locks are taken in the order that the whole store keeps.
    const SQL: &'static str = "WITH sends AS MATERIALIZED (SELECT * FROM {s}), \
        copies AS MATERIALIZED (SELECT * FROM {c}), \
        boxes AS MATERIALIZED (SELECT account_id, device_id, registration_id, next_seq, envelope_count, byte_count, \
            urgent_waits, has_blocks, socket_process FROM mailboxes WHERE account_id = ANY({accounts}) \
            ORDER BY account_id, device_id FOR UPDATE), \
        open AS (SELECT account_id, count(*) AS devices FROM boxes GROUP BY account_id), \
        more AS (SELECT account_id, device_id, count(*) AS envelopes, sum(octet_length(content)) AS bytes \
            FROM copies GROUP BY account_id, device_id), \
        fitting AS (SELECT c.number, count(*) AS devices FROM copies AS c \
            JOIN more USING (account_id, device_id) JOIN boxes AS b USING (account_id, device_id) \
            WHERE b.registration_id = c.registration_id AND b.envelope_count + more.envelopes <= {most} \
            AND b.byte_count + more.bytes <= {most_bytes} \
            AND NOT b.has_blocks AND (b.socket_process IS NOT NULL \
            OR (b.envelope_count > 0 AND (b.urgent_waits OR NOT c.urgent))) GROUP BY c.number), \
        plain AS MATERIALIZED (SELECT s.* FROM sends AS s JOIN open ON open.account_id = s.account_id \
            JOIN fitting ON fitting.number = s.number \
            WHERE open.devices = s.devices AND fitting.devices = s.copies), \
        keys AS (INSERT INTO idempotency_keys \
            (account_id, device_id, idempotency_key, request_hash, answer, created_at) \
            SELECT source_account, source_device, idempotency_key, request_hash, answer, {now} FROM plain \
            WHERE idempotency_key IS NOT NULL ORDER BY 1, 2, 3 \
            ON CONFLICT DO NOTHING RETURNING account_id, device_id, idempotency_key), \
        chosen AS MATERIALIZED (SELECT p.* FROM plain AS p WHERE p.idempotency_key IS NULL UNION ALL \
            SELECT p.* FROM plain AS p JOIN keys AS k ON k.account_id = p.source_account \
            AND k.device_id = p.source_device AND k.idempotency_key = p.idempotency_key), \
        envelopes_of AS MATERIALIZED (SELECT c.*, s.source_account, s.source_device, s.client_timestamp, \
            b.next_seq + row_number() OVER (PARTITION BY c.account_id, c.device_id ORDER BY c.number) - 1 AS seq \
            FROM copies AS c JOIN chosen AS s USING (number) JOIN boxes AS b \
            ON b.account_id = c.account_id AND b.device_id = c.device_id), \
        stored AS (INSERT INTO envelopes (account_id, device_id, seq, guid, kind, source_account, source_device, \
            client_timestamp, server_timestamp, content, content_bytes, urgent, expires_at) \
            SELECT account_id, device_id, seq, guid, kind, source_account, source_device, client_timestamp, {now}, \
            content, octet_length(content), urgent, {expires_at} FROM envelopes_of), \
        counted AS (UPDATE mailboxes AS m SET next_seq = m.next_seq + n.envelopes, \
            envelope_count = m.envelope_count + n.envelopes, byte_count = m.byte_count + n.bytes, \
            urgent_waits = m.urgent_waits OR n.urgent \
            FROM (SELECT account_id, device_id, count(*) AS envelopes, sum(octet_length(content)) AS bytes, \
            bool_or(urgent) AS urgent FROM envelopes_of GROUP BY account_id, device_id) AS n \
            WHERE m.account_id = n.account_id AND m.device_id = n.device_id) \
        SELECT number FROM chosen";
    type Row = Integer;
}

/// Stores the plain ones, and gives their numbers.
pub(crate) fn store(
    conn: &mut PgConnection,
    candidates: &[Candidate<'_>],
    copies: &[CandidateCopy<'_>],
    terms: &Terms,
) -> QueryResult<HashSet<i32>> {
    let mut accounts: Vec<&str> = candidates.iter().map(|one| one.send.recipient.as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let sends = Rows::of(candidates)
        .column::<Integer, _>("number", |one| one.number)
        .column::<Text, _>("account_id", |one| one.send.recipient.as_str())
        .column::<Integer, _>("devices", |one| one.send.devices_expected())
        .column::<Integer, _>("copies", |one| one.send.count())
        .column::<Text, _>("source_account", |one| one.send.sender.account.as_str())
        .column::<Integer, _>("source_device", |one| one.send.sender.device.as_i32())
        .column::<BigInt, _>("client_timestamp", |one| one.send.timestamp.as_i64())
        .column::<Nullable<Text>, _>("idempotency_key", |one| one.key.as_ref().map(|key| key.name.key))
        .column::<Nullable<Binary>, _>("request_hash", |one| one.key.as_ref().map(|key| key.hash))
        .column::<Nullable<Text>, _>("answer", |one| one.key.as_ref().map(|key| key.answer.as_str()));
    let copies = Rows::of(copies)
        .column::<Integer, _>("number", |one| one.number)
        .column::<Text, _>("account_id", |one| one.mailbox.account.as_str())
        .column::<Integer, _>("device_id", |one| one.mailbox.device.as_i32())
        .column::<Integer, _>("registration_id", |one| one.copy.registration.as_i32())
        .column::<Text, _>("guid", |one| one.guid)
        .column::<Integer, _>("kind", |one| one.copy.kind.number())
        .column::<Binary, _>("content", |one| one.copy.content.as_slice())
        .column::<Bool, _>("urgent", |one| one.urgent);
    let numbers: Vec<i32> = BatchQuery::<Store>::new()
        .rows("s", sends)
        .rows("c", copies)
        .value::<Array<Text>, _>("accounts", accounts)
        .value::<BigInt, _>("most", terms.most)
        .value::<BigInt, _>("most_bytes", terms.most_bytes)
        .value::<BigInt, _>("now", terms.now.as_i64())
        .value::<BigInt, _>("expires_at", terms.expires_at.as_i64())
        .load(conn)?;
    Ok(numbers.into_iter().collect())
}
