//! Idempotency keys: what a sender's device asked for under a key, and the answer it got.

use common::models::{AccountId, DeviceId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Text};
use diesel::upsert::excluded;

use super::schema::idempotency_keys;
use crate::domain::MailboxId;

/// A key is its sender's device's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyName<'a> {
    pub(crate) sender: &'a MailboxId,
    pub(crate) key: &'a str,
}

/// A key to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewKey<'a> {
    pub(crate) name: KeyName<'a>,
    pub(crate) hash: &'a [u8],
    /// JSON.
    pub(crate) answer: String,
}

/// A key as stored.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct KeyRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) key: String,
    pub(crate) request_hash: Vec<u8>,
    pub(crate) answer: String,
}

enum Find {}

impl BatchSql for Find {
    const SQL: &'static str = "SELECT k.account_id, k.device_id, k.idempotency_key, k.request_hash, k.answer \
        FROM {w} JOIN idempotency_keys AS k ON k.account_id = w.account_id AND k.device_id = w.device_id \
        AND k.idempotency_key = w.idempotency_key WHERE k.created_at > {after}";
    type Row = (Text, Integer, Text, Binary, Text);
}

/// Finds those of `names` that were stored after `after`.
pub(crate) fn find(
    conn: &mut DbConn,
    names: &[KeyName<'_>],
    after: UnixMillis,
) -> Result<Vec<KeyRow>, DbError> {
    match conn {
        _ if names.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let names = Rows::of(names)
                .column::<Text, _>("account_id", |name| name.sender.account.as_str())
                .column::<Integer, _>("device_id", |name| name.sender.device.as_i32())
                .column::<Text, _>("idempotency_key", |name| name.key);
            let find = BatchQuery::<Find>::new().rows("w", names);
            Ok(find.value::<BigInt, _>("after", after.as_i64()).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for name in names {
                let stored = idempotency_keys::table
                    .find((name.sender.account, name.sender.device, name.key))
                    .filter(idempotency_keys::created_at.gt(after))
                    .select((
                        idempotency_keys::account_id,
                        idempotency_keys::device_id,
                        idempotency_keys::idempotency_key,
                        idempotency_keys::request_hash,
                        idempotency_keys::answer,
                    ));
                rows.extend(stored.first::<KeyRow>(c).optional()?);
            }
            Ok(rows)
        }
    }
}

enum Insert {}

impl BatchSql for Insert {
    const SQL: &'static str = "INSERT INTO idempotency_keys ({n.*}, created_at) SELECT n.*, {now} FROM {n} \
        ORDER BY 1, 2, 3 ON CONFLICT (account_id, device_id, idempotency_key) DO UPDATE SET \
        request_hash = excluded.request_hash, answer = excluded.answer, created_at = excluded.created_at \
        WHERE idempotency_keys.created_at <= {expired}";
    type Row = ();
}

/// Stores keys in place of those stored at `expired` or before; returns how many. Fewer than given: another process has
/// stored one of them meanwhile.
pub(crate) fn insert(
    conn: &mut DbConn,
    keys: &[NewKey<'_>],
    now: UnixMillis,
    expired: UnixMillis,
) -> Result<usize, DbError> {
    match conn {
        _ if keys.is_empty() => Ok(0),
        DbConn::Pg(c) => {
            let keys = Rows::of(keys)
                .column::<Text, _>("account_id", |key| key.name.sender.account.as_str())
                .column::<Integer, _>("device_id", |key| key.name.sender.device.as_i32())
                .column::<Text, _>("idempotency_key", |key| key.name.key)
                .column::<Binary, _>("request_hash", |key| key.hash)
                .column::<Text, _>("answer", |key| key.answer.as_str());
            let insert = BatchQuery::<Insert>::new().rows("n", keys).value::<BigInt, _>("now", now.as_i64());
            Ok(insert.value::<BigInt, _>("expired", expired.as_i64()).execute(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut stored = 0;
            for key in keys {
                stored += diesel::insert_into(idempotency_keys::table)
                    .values((
                        idempotency_keys::account_id.eq(key.name.sender.account),
                        idempotency_keys::device_id.eq(key.name.sender.device),
                        idempotency_keys::idempotency_key.eq(key.name.key),
                        idempotency_keys::request_hash.eq(key.hash),
                        idempotency_keys::answer.eq(&key.answer),
                        idempotency_keys::created_at.eq(now),
                    ))
                    .on_conflict((
                        idempotency_keys::account_id,
                        idempotency_keys::device_id,
                        idempotency_keys::idempotency_key,
                    ))
                    .do_update()
                    .set((
                        idempotency_keys::request_hash.eq(excluded(idempotency_keys::request_hash)),
                        idempotency_keys::answer.eq(excluded(idempotency_keys::answer)),
                        idempotency_keys::created_at.eq(excluded(idempotency_keys::created_at)),
                    ))
                    .execute(c)?;
            }
            Ok(stored)
        }
    }
}

/// Removes up to `limit` keys stored at `before` or earlier; returns how many. Passes over those that a send is about
/// to replace, which would wait for each other.
pub(crate) fn prune(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    const POSTGRES: &str = "DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys \
        WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const SQLITE: &str = "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys \
        WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";
    let pruned = match conn {
        DbConn::Pg(c) => {
            diesel::sql_query(POSTGRES).bind::<BigInt, _>(before).bind::<BigInt, _>(limit).execute(c)?
        }
        DbConn::Sqlite(c) => {
            diesel::sql_query(SQLITE).bind::<BigInt, _>(before).bind::<BigInt, _>(limit).execute(c)?
        }
    };
    Ok(pruned)
}
