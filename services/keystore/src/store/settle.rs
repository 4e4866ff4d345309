//! What fetches leave behind in the devices: how often the last-resort key was given, and who was told of low water.

use common::models::{AccountId, DeviceId};
use db::{DbConn, DbError};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text};

use super::rows::Life;
use super::schema::devices;

/// The trace of some fetches in one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settlement {
    pub(crate) life: Life,
    /// How often the last-resort key was given.
    pub(crate) served: i64,
    /// Curve25519 keys have fallen below the mark.
    pub(crate) ec_low: bool,
    /// Kyber keys have fallen below the mark.
    pub(crate) pq_low: bool,
}

/// A device, and which marks it has just been given: of several fetchers that saw low water, one finds `true`.
#[derive(Debug, Queryable)]
pub(crate) struct Marked {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) ec: bool,
    pub(crate) pq: bool,
}

/// Stores them. A life that has ended meanwhile is passed over.
pub(crate) fn settle(conn: &mut DbConn, all: &[Settlement]) -> Result<Vec<Marked>, DbError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    match conn {
        DbConn::Pg(c) => Ok(SettleAll::new(all).load(c)?),
        DbConn::Sqlite(c) => {
            let mut marked = Vec::new();
            for Settlement { life, served, ec_low, pq_low } in all {
                let row = || {
                    let row = devices::table.find((life.account, life.device));
                    row.filter(devices::generation.eq(life.generation))
                };
                let before =
                    row().select((devices::ec_low, devices::pq_low)).first::<(bool, bool)>(c).optional()?;
                let Some((ec, pq)) = before else { continue };
                diesel::update(row())
                    .set((
                        devices::last_resort_served.eq(devices::last_resort_served + served),
                        devices::ec_low.eq(ec || *ec_low),
                        devices::pq_low.eq(pq || *pq_low),
                    ))
                    .execute(c)?;
                let (account_id, device_id) = (life.account, life.device);
                marked.push(Marked { account_id, device_id, ec: *ec_low && !ec, pq: *pq_low && !pq });
            }
            Ok(marked)
        }
    }
}

struct SettleAll<'a> {
    accounts: Vec<&'a str>,
    devices: Vec<i32>,
    generations: Vec<&'a str>,
    served: Vec<i64>,
    ec_low: Vec<bool>,
    pq_low: Vec<bool>,
}

impl<'a> SettleAll<'a> {
    fn new(all: &'a [Settlement]) -> Self {
        Self {
            accounts: all.iter().map(|one| one.life.account.as_str()).collect(),
            devices: all.iter().map(|one| one.life.device.as_i32()).collect(),
            generations: all.iter().map(|one| one.life.generation.as_str()).collect(),
            served: all.iter().map(|one| one.served).collect(),
            ec_low: all.iter().map(|one| one.ec_low).collect(),
            pq_low: all.iter().map(|one| one.pq_low).collect(),
        }
    }
}

impl QueryId for SettleAll<'_> {
    type QueryId = SettleAll<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for SettleAll<'_> {
    type SqlType = (Text, Integer, Bool, Bool);
}

impl QueryFragment<Pg> for SettleAll<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH w AS (SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.accounts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.devices)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.generations)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.served)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&self.ec_low)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&self.pq_low)?;
        out.push_sql(") AS w (account_id, device_id, generation, served, ec_low, pq_low)),");
        // In one order everywhere, so that two processes that serve the same devices cannot block each other.
        out.push_sql(" locked AS MATERIALIZED (SELECT d.account_id, d.device_id, d.generation,");
        out.push_sql(" d.last_resort_served, d.ec_low, d.pq_low FROM devices d");
        out.push_sql(" JOIN w USING (account_id, device_id, generation)");
        out.push_sql(" ORDER BY d.account_id, d.device_id FOR UPDATE OF d)");
        out.push_sql(" UPDATE devices d SET last_resort_served = l.last_resort_served + w.served,");
        out.push_sql(" ec_low = l.ec_low OR w.ec_low, pq_low = l.pq_low OR w.pq_low");
        out.push_sql(" FROM w JOIN locked l USING (account_id, device_id, generation)");
        out.push_sql(" WHERE d.account_id = l.account_id AND d.device_id = l.device_id");
        out.push_sql(
            " RETURNING d.account_id, d.device_id, w.ec_low AND NOT l.ec_low, w.pq_low AND NOT l.pq_low",
        );
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for SettleAll<'_> {}
