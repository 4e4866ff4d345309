//! Taking one-time keys: each is removed and remembered as given out in the step that hands it over.
//!
//! On PostgreSQL one statement serves any number of devices, and its text never changes, so that it is planned once.
//! Keys that another process is just taking are skipped, not waited for.

use common::models::AccountId;
use common::models::events::PreKeyKind;
use common::models::{Base64Bytes, DeviceId, KeyId, UnixMillis};
use db::{DbConn, DbError};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, Text};

use super::rows::{Life, OneTimeKeyRow};
use super::schema::{issued_keys, one_time_keys};

/// The `count` oldest keys of one kind of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) life: Life,
    pub(crate) kind: PreKeyKind,
    pub(crate) count: i32,
}

/// A key that now belongs to one fetcher.
#[derive(Debug, Queryable)]
pub(crate) struct Taken {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) kind: String,
    pub(crate) key_id: KeyId,
    pub(crate) public_key: Base64Bytes,
    pub(crate) signature: Option<Base64Bytes>,
}

/// Takes keys; fewer than wanted where there are not as many.
pub(crate) fn take(conn: &mut DbConn, wanted: &[Wanted], now: UnixMillis) -> Result<Vec<Taken>, DbError> {
    match conn {
        DbConn::Pg(c) => Ok(TakeAll { wanted: Columns::new(wanted), now: now.as_i64() }.load(c)?),
        DbConn::Sqlite(c) => {
            let mut taken = Vec::new();
            for one in wanted {
                take_one(c, one, now, &mut taken)?;
            }
            Ok(taken)
        }
    }
}

/// Counts what is left, as far as `limit`, in the order of `wanted`.
pub(crate) fn remaining(conn: &mut DbConn, wanted: &[Wanted], limit: u32) -> Result<Vec<i64>, DbError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    match conn {
        DbConn::Pg(c) => Ok(CountAll { wanted: Columns::new(wanted), limit: limit.into() }.load(c)?),
        DbConn::Sqlite(_) => {
            let count = |one: &Wanted| super::one_time::count(conn, one.life, one.kind);
            Ok(wanted.iter().map(count).collect::<Result<Vec<_>, _>>()?)
        }
    }
}

fn take_one(
    conn: &mut SqliteConnection,
    wanted: &Wanted,
    now: UnixMillis,
    taken: &mut Vec<Taken>,
) -> Result<(), DbError> {
    let Wanted { life, kind, count } = *wanted;
    let oldest: Vec<OneTimeKeyRow> = one_time_keys::table
        .filter(one_time_keys::account_id.eq(life.account))
        .filter(one_time_keys::device_id.eq(life.device))
        .filter(one_time_keys::generation.eq(life.generation))
        .filter(one_time_keys::kind.eq(kind.as_str()))
        .order(one_time_keys::position)
        .limit(count.into())
        .load(conn)?;
    for row in oldest {
        let key = (row.account_id, row.device_id, row.generation, &row.kind, row.position);
        diesel::delete(one_time_keys::table.find(key)).execute(conn)?;
        let tombstone = (
            issued_keys::account_id.eq(row.account_id),
            issued_keys::key_hash.eq(row.key_hash),
            issued_keys::issued_at.eq(now),
        );
        diesel::insert_into(issued_keys::table).values(tombstone).on_conflict_do_nothing().execute(conn)?;
        taken.push(Taken {
            account_id: row.account_id,
            device_id: row.device_id,
            kind: row.kind,
            key_id: row.key_id,
            public_key: row.public_key,
            signature: row.signature,
        });
    }
    Ok(())
}

/// What is wanted, as arrays to unnest.
struct Columns<'a> {
    accounts: Vec<&'a str>,
    devices: Vec<i32>,
    generations: Vec<&'a str>,
    kinds: Vec<&'static str>,
    counts: Vec<i32>,
}

impl<'a> Columns<'a> {
    fn new(wanted: &'a [Wanted]) -> Self {
        Self {
            accounts: wanted.iter().map(|one| one.life.account.as_str()).collect(),
            devices: wanted.iter().map(|one| one.life.device.as_i32()).collect(),
            generations: wanted.iter().map(|one| one.life.generation.as_str()).collect(),
            kinds: wanted.iter().map(|one| one.kind.as_str()).collect(),
            counts: wanted.iter().map(|one| one.count).collect(),
        }
    }

    fn walk<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.accounts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.devices)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.generations)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.counts)?;
        out.push_sql(") WITH ORDINALITY AS w (account_id, device_id, generation, kind, n, nr)");
        Ok(())
    }
}

/// The keys of the device `w`.
const OF_W: &str = "one_time_keys k WHERE k.account_id = w.account_id AND k.device_id = w.device_id \
                    AND k.generation = w.generation AND k.kind = w.kind";

struct TakeAll<'a> {
    wanted: Columns<'a>,
    now: i64,
}

impl QueryId for TakeAll<'_> {
    type QueryId = TakeAll<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for TakeAll<'_> {
    type SqlType = (Text, Integer, Text, Integer, Binary, Nullable<Binary>);
}

impl QueryFragment<Pg> for TakeAll<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH taken AS (DELETE FROM one_time_keys WHERE ctid = ANY(ARRAY(SELECT o.ctid FROM ");
        self.wanted.walk(&mut out)?;
        out.push_sql(" CROSS JOIN LATERAL (SELECT k.ctid FROM ");
        out.push_sql(OF_W);
        out.push_sql(" ORDER BY k.position LIMIT w.n FOR UPDATE SKIP LOCKED) o))");
        out.push_sql(" RETURNING account_id, device_id, kind, key_id, public_key, signature, key_hash),");
        out.push_sql(" remembered AS (INSERT INTO issued_keys (account_id, key_hash, issued_at)");
        out.push_sql(" SELECT account_id, key_hash, ");
        out.push_bind_param::<BigInt, _>(&self.now)?;
        out.push_sql(" FROM taken ON CONFLICT DO NOTHING)");
        out.push_sql(" SELECT account_id, device_id, kind, key_id, public_key, signature FROM taken");
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for TakeAll<'_> {}

struct CountAll<'a> {
    wanted: Columns<'a>,
    limit: i64,
}

impl QueryId for CountAll<'_> {
    type QueryId = CountAll<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for CountAll<'_> {
    type SqlType = BigInt;
}

impl QueryFragment<Pg> for CountAll<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT (SELECT count(*) FROM (SELECT 1 FROM ");
        out.push_sql(OF_W);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") few) FROM ");
        self.wanted.walk(&mut out)?;
        out.push_sql(" ORDER BY w.nr");
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for CountAll<'_> {}
