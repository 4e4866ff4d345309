//! Statements of PostgreSQL that take a whole batch. Their text never changes, so each is prepared once per
//! connection; diesel's own inserts of slices would be planned anew each time.

use common::models::AccountId;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Text};

use super::idempotency::{KeyName, NewKey};
use super::rows::{EnvelopeKey, MailboxRow, NewEnvelope};
use crate::domain::MailboxId;

/// Says what all statements here have in common.
macro_rules! statement {
    ($name:ident $(-> $row:ty)?) => {
        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }
        impl RunQueryDsl<PgConnection> for $name<'_> {}
        $(impl Query for $name<'_> {
            type SqlType = $row;
        })?
    };
}

/// Locks all mailboxes of some accounts in the order of their keys.
pub(super) struct LockMailboxes<'a> {
    accounts: Vec<&'a str>,
}

impl<'a> LockMailboxes<'a> {
    pub(super) fn new(accounts: &'a [AccountId]) -> Self {
        Self { accounts: accounts.iter().map(AccountId::as_str).collect() }
    }
}

statement!(LockMailboxes -> (Text, Integer, Text, Integer, BigInt, BigInt, BigInt, Bool));

impl QueryFragment<Pg> for LockMailboxes<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT account_id, device_id, generation, registration_id, next_seq, envelope_count, byte_count, \
             full_told FROM mailboxes WHERE account_id = ANY(",
        );
        out.push_bind_param::<Array<Text>, _>(&self.accounts)?;
        out.push_sql(") ORDER BY account_id, device_id FOR UPDATE");
        Ok(())
    }
}

/// Inserts envelopes and writes the counters of the mailboxes that changed.
pub(super) struct Store<'a> {
    envelopes: EnvelopeColumns<'a>,
    mailboxes: CounterColumns<'a>,
}

#[derive(Default)]
struct EnvelopeColumns<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    seq: Vec<i64>,
    guid: Vec<&'a str>,
    kind: Vec<i32>,
    source_account: Vec<&'a str>,
    source_device: Vec<i32>,
    client_timestamp: Vec<i64>,
    server_timestamp: Vec<i64>,
    content: Vec<&'a [u8]>,
    content_bytes: Vec<i32>,
    urgent: Vec<bool>,
    expires_at: Vec<i64>,
}

#[derive(Default)]
struct CounterColumns<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    next_seq: Vec<i64>,
    envelopes: Vec<i64>,
    bytes: Vec<i64>,
    full_told: Vec<bool>,
}

impl<'a> Store<'a> {
    pub(super) fn new(envelopes: &'a [NewEnvelope<'a>], mailboxes: &'a [MailboxRow]) -> Self {
        let mut e = EnvelopeColumns::default();
        for row in envelopes {
            e.account.push(row.account_id.as_str());
            e.device.push(row.device_id.as_i32());
            e.seq.push(row.seq);
            e.guid.push(row.guid.as_str());
            e.kind.push(row.kind);
            e.source_account.push(row.source_account.as_str());
            e.source_device.push(row.source_device.as_i32());
            e.client_timestamp.push(row.client_timestamp.as_i64());
            e.server_timestamp.push(row.server_timestamp.as_i64());
            e.content.push(row.content);
            e.content_bytes.push(row.content_bytes);
            e.urgent.push(row.urgent);
            e.expires_at.push(row.expires_at.as_i64());
        }
        let mut m = CounterColumns::default();
        for row in mailboxes {
            m.account.push(row.account_id.as_str());
            m.device.push(row.device_id.as_i32());
            m.next_seq.push(row.next_seq);
            m.envelopes.push(row.envelope_count);
            m.bytes.push(row.byte_count);
            m.full_told.push(row.full_told);
        }
        Self { envelopes: e, mailboxes: m }
    }
}

statement!(Store);

impl QueryFragment<Pg> for Store<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (e, m) = (&self.envelopes, &self.mailboxes);
        out.push_sql(
            "WITH stored AS (INSERT INTO envelopes (account_id, device_id, seq, guid, kind, source_account, \
             source_device, client_timestamp, server_timestamp, content, content_bytes, urgent, expires_at) \
             SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Text>, _>(&e.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&e.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&e.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&e.guid)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&e.kind)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&e.source_account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&e.source_device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&e.client_timestamp)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&e.server_timestamp)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&e.content)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&e.content_bytes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&e.urgent)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&e.expires_at)?;
        out.push_sql(
            ")) UPDATE mailboxes AS m SET next_seq = c.next_seq, envelope_count = c.envelopes, \
             byte_count = c.bytes, full_told = c.full_told FROM unnest(",
        );
        out.push_bind_param::<Array<Text>, _>(&m.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&m.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&m.next_seq)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&m.envelopes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&m.bytes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&m.full_told)?;
        out.push_sql(
            ") AS c (account_id, device_id, next_seq, envelopes, bytes, full_told) \
             WHERE m.account_id = c.account_id AND m.device_id = c.device_id",
        );
        Ok(())
    }
}

/// Removes the envelopes of some mailboxes up to a `seq` each.
pub(super) struct RemoveThrough<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    through: Vec<i64>,
}

impl<'a> RemoveThrough<'a> {
    pub(super) fn new(ends: &'a [(MailboxId, i64)]) -> Self {
        Self {
            account: ends.iter().map(|(id, _)| id.account.as_str()).collect(),
            device: ends.iter().map(|(id, _)| id.device.as_i32()).collect(),
            through: ends.iter().map(|(_, through)| *through).collect(),
        }
    }
}

statement!(RemoveThrough -> (Text, Integer, Integer));

impl QueryFragment<Pg> for RemoveThrough<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("DELETE FROM envelopes AS e USING unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.through)?;
        out.push_sql(
            ") AS r (account_id, device_id, through) WHERE e.account_id = r.account_id \
             AND e.device_id = r.device_id AND e.seq <= r.through \
             RETURNING e.account_id, e.device_id, e.content_bytes",
        );
        Ok(())
    }
}

/// Removes single envelopes.
pub(super) struct RemoveThese<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    seq: Vec<i64>,
    guid: Vec<&'a str>,
}

impl<'a> RemoveThese<'a> {
    pub(super) fn new(keys: &'a [EnvelopeKey]) -> Self {
        Self {
            account: keys.iter().map(|key| key.mailbox.account.as_str()).collect(),
            device: keys.iter().map(|key| key.mailbox.device.as_i32()).collect(),
            seq: keys.iter().map(|key| key.seq).collect(),
            guid: keys.iter().map(|key| key.guid.as_str()).collect(),
        }
    }
}

statement!(RemoveThese -> (Text, Integer, Integer));

impl QueryFragment<Pg> for RemoveThese<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("DELETE FROM envelopes AS e USING unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.guid)?;
        out.push_sql(
            ") AS r (account_id, device_id, seq, guid) WHERE e.account_id = r.account_id \
             AND e.device_id = r.device_id AND e.seq = r.seq AND e.guid = r.guid \
             RETURNING e.account_id, e.device_id, e.content_bytes",
        );
        Ok(())
    }
}

/// Finds idempotency keys that are not too old.
pub(super) struct FindKeys<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    key: Vec<&'a str>,
    after: i64,
}

impl<'a> FindKeys<'a> {
    pub(super) fn new(names: &[KeyName<'a>], after: i64) -> Self {
        Self {
            account: names.iter().map(|name| name.sender_account()).collect(),
            device: names.iter().map(|name| name.sender.device.as_i32()).collect(),
            key: names.iter().map(|name| name.key).collect(),
            after,
        }
    }
}

statement!(FindKeys -> (Text, Integer, Text, Binary, Text));

impl QueryFragment<Pg> for FindKeys<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT k.account_id, k.device_id, k.idempotency_key, k.request_hash, k.answer \
             FROM idempotency_keys AS k JOIN unnest(",
        );
        out.push_bind_param::<Array<Text>, _>(&self.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.key)?;
        out.push_sql(
            ") AS w (account_id, device_id, idempotency_key) USING (account_id, device_id, idempotency_key) \
             WHERE k.created_at > ",
        );
        out.push_bind_param::<BigInt, _>(&self.after)?;
        Ok(())
    }
}

/// Inserts idempotency keys, in place of those that are too old.
pub(super) struct InsertKeys<'a> {
    account: Vec<&'a str>,
    device: Vec<i32>,
    key: Vec<&'a str>,
    hash: Vec<&'a [u8]>,
    answer: Vec<&'a str>,
    now: i64,
    expired: i64,
}

impl<'a> InsertKeys<'a> {
    pub(super) fn new(keys: &'a [NewKey<'a>], now: i64, expired: i64) -> Self {
        Self {
            account: keys.iter().map(|key| key.name.sender_account()).collect(),
            device: keys.iter().map(|key| key.name.sender.device.as_i32()).collect(),
            key: keys.iter().map(|key| key.name.key).collect(),
            hash: keys.iter().map(|key| key.hash).collect(),
            answer: keys.iter().map(|key| key.answer.as_str()).collect(),
            now,
            expired,
        }
    }
}

statement!(InsertKeys);

impl QueryFragment<Pg> for InsertKeys<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO idempotency_keys (account_id, device_id, idempotency_key, request_hash, answer, created_at) \
             SELECT n.*, ",
        );
        out.push_bind_param::<BigInt, _>(&self.now)?;
        out.push_sql(" FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.account)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.device)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.key)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.hash)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.answer)?;
        out.push_sql(
            ") AS n (account_id, device_id, idempotency_key, request_hash, answer) ORDER BY 1, 2, 3 \
             ON CONFLICT (account_id, device_id, idempotency_key) DO UPDATE SET \
             request_hash = excluded.request_hash, answer = excluded.answer, created_at = excluded.created_at \
             WHERE idempotency_keys.created_at <= ",
        );
        out.push_bind_param::<BigInt, _>(&self.expired)?;
        Ok(())
    }
}
