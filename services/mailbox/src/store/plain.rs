//! Sends that need no decision, judged and stored by one statement of PostgreSQL.
//!
//! Plain is what a batch brings an account if it is for exactly the devices that are open, each with room for all of it,
//! if nobody has to be told, if the account blocks nobody, and if no request of it is known by its key. The statement
//! stores that whole, and passes over the other accounts, whose senders are to get an answer that only
//! [`batch`](crate::domain::batch) can give. As an account's sends stay together, their order is known beforehand.

use std::collections::HashSet;

use common::models::{AccountId, RegistrationId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text};

use super::idempotency::NewKey;
use crate::domain::{Copy, MailboxId, Send};

/// What a batch brings one mailbox. Each device that an account must have is one, also if there is nothing for it.
pub(crate) struct Share {
    pub(crate) mailbox: MailboxId,
    /// The installation that it is for; none where there is nothing.
    pub(crate) registration: Option<RegistrationId>,
    pub(crate) envelopes: i64,
    pub(crate) bytes: i64,
    /// Whether any of it is to wake the device.
    pub(crate) urgent: bool,
    /// How many devices the account must have.
    pub(crate) devices: i32,
}

/// One device's copy of a send.
pub(crate) struct Placed<'a> {
    pub(crate) send: &'a Send,
    pub(crate) copy: &'a Copy,
    /// How many come before it in its mailbox.
    pub(crate) place: i64,
    pub(crate) guid: &'a str,
}

/// A key of a send.
pub(crate) struct Keyed<'a> {
    pub(crate) recipient: AccountId,
    pub(crate) key: NewKey<'a>,
}

/// A batch: everything that it brings the accounts in it.
#[derive(Default)]
pub(crate) struct Brought<'a> {
    pub(crate) shares: Vec<Share>,
    pub(crate) copies: Vec<Placed<'a>>,
    pub(crate) keys: Vec<Keyed<'a>>,
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
    // The lock comes first: each later part takes the mailboxes from it. A key that another process stores meanwhile,
    // which the statement's snapshot does not have, fails it and so the batch, whose sends are then stored one by one,
    // all but the one with that key.
    const SQL: &'static str = "WITH boxes AS MATERIALIZED (SELECT account_id, device_id, registration_id, next_seq, \
            envelope_count, byte_count, urgent_waits, has_blocks, socket_process FROM mailboxes \
            WHERE account_id = ANY({accounts}) ORDER BY account_id, device_id FOR UPDATE), \
        shares AS MATERIALIZED (SELECT * FROM {s}), \
        keys AS MATERIALIZED (SELECT * FROM {k}), \
        plain AS MATERIALIZED (SELECT account_id FROM boxes AS b LEFT JOIN shares AS s USING (account_id, device_id) \
            GROUP BY account_id HAVING count(*) = max(s.devices) AND bool_and(COALESCE(NOT b.has_blocks \
            AND (s.envelopes = 0 OR (b.registration_id = s.registration_id \
            AND b.envelope_count + s.envelopes <= {most} AND b.byte_count + s.bytes <= {most_bytes} \
            AND (b.socket_process IS NOT NULL \
            OR (b.envelope_count > 0 AND (b.urgent_waits OR NOT s.urgent))))), FALSE)) \
            AND account_id NOT IN (SELECT keys.recipient FROM keys JOIN idempotency_keys \
            USING (account_id, device_id, idempotency_key))), \
        noted AS (INSERT INTO idempotency_keys \
            (account_id, device_id, idempotency_key, request_hash, answer, created_at) \
            SELECT k.account_id, k.device_id, k.idempotency_key, k.request_hash, k.answer, {now} FROM keys AS k \
            JOIN plain ON plain.account_id = k.recipient ORDER BY 1, 2, 3), \
        stored AS (INSERT INTO envelopes (account_id, device_id, seq, guid, kind, source_account, source_device, \
            client_timestamp, server_timestamp, content, content_bytes, urgent, expires_at) \
            SELECT c.account_id, c.device_id, b.next_seq + c.place, c.guid, c.kind, c.source_account, \
            c.source_device, c.client_timestamp, {now}, c.content, octet_length(c.content), c.urgent, {expires_at} \
            FROM {c} JOIN plain ON plain.account_id = c.account_id \
            JOIN boxes AS b ON b.account_id = c.account_id AND b.device_id = c.device_id), \
        counted AS (UPDATE mailboxes AS m SET next_seq = m.next_seq + s.envelopes, \
            envelope_count = m.envelope_count + s.envelopes, byte_count = m.byte_count + s.bytes, \
            urgent_waits = m.urgent_waits OR s.urgent \
            FROM shares AS s JOIN plain ON plain.account_id = s.account_id \
            WHERE m.account_id = s.account_id AND m.device_id = s.device_id AND s.envelopes > 0) \
        SELECT account_id FROM plain";
    type Row = Text;
}

/// Stores what is plain, and gives the accounts for which it was. On SQLite, which has no round trips to save, it stores
/// nothing.
///
/// # Errors
/// [`DbError::UniqueViolation`] when another process has stored one of the keys meanwhile.
pub(crate) fn store(
    conn: &mut DbConn,
    brought: &Brought<'_>,
    terms: &Terms,
) -> Result<HashSet<AccountId>, DbError> {
    let DbConn::Pg(conn) = conn else { return Ok(HashSet::new()) };
    let mut accounts: Vec<&str> = brought.shares.iter().map(|share| share.mailbox.account.as_str()).collect();
    accounts.dedup();
    let shares = Rows::of(&brought.shares)
        .column::<Text, _>("account_id", |share| share.mailbox.account.as_str())
        .column::<Integer, _>("device_id", |share| share.mailbox.device.as_i32())
        .column::<Nullable<Integer>, _>("registration_id", |share| {
            share.registration.map(RegistrationId::as_i32)
        })
        .column::<BigInt, _>("envelopes", |share| share.envelopes)
        .column::<BigInt, _>("bytes", |share| share.bytes)
        .column::<Bool, _>("urgent", |share| share.urgent)
        .column::<Integer, _>("devices", |share| share.devices);
    let copies = Rows::of(&brought.copies)
        .column::<Text, _>("account_id", |one| one.send.recipient.as_str())
        .column::<Integer, _>("device_id", |one| one.copy.device.as_i32())
        .column::<BigInt, _>("place", |one| one.place)
        .column::<Text, _>("guid", |one| one.guid)
        .column::<Integer, _>("kind", |one| one.copy.kind.number())
        .column::<Binary, _>("content", |one| one.copy.content.as_slice())
        .column::<Bool, _>("urgent", |one| one.send.urgent)
        .column::<Text, _>("source_account", |one| one.send.sender.account.as_str())
        .column::<Integer, _>("source_device", |one| one.send.sender.device.as_i32())
        .column::<BigInt, _>("client_timestamp", |one| one.send.timestamp.as_i64());
    let keys = Rows::of(&brought.keys)
        .column::<Text, _>("recipient", |one| one.recipient.as_str())
        .column::<Text, _>("account_id", |one| one.key.name.sender.account.as_str())
        .column::<Integer, _>("device_id", |one| one.key.name.sender.device.as_i32())
        .column::<Text, _>("idempotency_key", |one| one.key.name.key)
        .column::<Binary, _>("request_hash", |one| one.key.hash)
        .column::<Text, _>("answer", |one| one.key.answer.as_str());
    let stored: Vec<AccountId> = BatchQuery::<Store>::new()
        .rows("s", shares)
        .rows("c", copies)
        .rows("k", keys)
        .value::<Array<Text>, _>("accounts", accounts)
        .value::<BigInt, _>("most", terms.most)
        .value::<BigInt, _>("most_bytes", terms.most_bytes)
        .value::<BigInt, _>("now", terms.now.as_i64())
        .value::<BigInt, _>("expires_at", terms.expires_at.as_i64())
        .load(conn)?;
    Ok(stored.into_iter().collect())
}
