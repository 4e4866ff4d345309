//! Modems that say that they are there.

use common::models::gateway::SeedKind;
use common::models::{E164, GatewayClientId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::listing::sought;
use super::schema::seeds;

/// A modem as it is stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = seeds)]
pub(crate) struct SeedRow {
    pub(crate) imsi: String,
    pub(crate) pseudonym: String,
    pub(crate) client_id: GatewayClientId,
    pub(crate) msisdn: E164,
    pub(crate) seed_type: SeedKind,
    pub(crate) country: Option<String>,
    pub(crate) operator_name: Option<String>,
    pub(crate) operator_id: Option<String>,
    pub(crate) pinged_at: UnixMillis,
}

/// Stores a ping. A modem that is known keeps its kind unless the ping `tells_kind`. Tells whether the ping counts: not
/// when the SIM is another client's.
pub(crate) fn ping(conn: &mut DbConn, row: &SeedRow, tells_kind: bool) -> Result<bool, DbError> {
    let upsert = diesel::sql_query(
        "INSERT INTO seeds AS s (imsi, pseudonym, client_id, msisdn, seed_type, country, operator_name, operator_id, \
         pinged_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (imsi) DO UPDATE SET \
         pseudonym = excluded.pseudonym, msisdn = excluded.msisdn, seed_type = COALESCE($10, s.seed_type), \
         country = excluded.country, operator_name = excluded.operator_name, operator_id = excluded.operator_id, \
         pinged_at = excluded.pinged_at WHERE s.client_id = excluded.client_id",
    );
    let upsert = upsert
        .bind::<Text, _>(&row.imsi)
        .bind::<Text, _>(&row.pseudonym)
        .bind::<Text, _>(row.client_id)
        .bind::<Text, _>(&row.msisdn)
        .bind::<Text, _>(row.seed_type)
        .bind::<Nullable<Text>, _>(&row.country)
        .bind::<Nullable<Text>, _>(&row.operator_name)
        .bind::<Nullable<Text>, _>(&row.operator_id)
        .bind::<BigInt, _>(row.pinged_at)
        .bind::<Nullable<Text>, _>(tells_kind.then_some(row.seed_type));
    Ok(on_backend!(conn, |c| upsert.execute(c))? > 0)
}

/// Counts the modems of a client, but for one.
pub(crate) fn count_others(conn: &mut DbConn, client: GatewayClientId, imsi: &str) -> Result<i64, DbError> {
    let others = seeds::table.filter(seeds::client_id.eq(client)).filter(seeds::imsi.ne(imsi));
    Ok(others.count().get_result(conn)?)
}

/// Reads up to `limit` modems that pinged after `since` and are in a country, the latest first.
pub(crate) fn active(
    conn: &mut DbConn,
    since: UnixMillis,
    kind: Option<SeedKind>,
    limit: i64,
) -> Result<Vec<SeedRow>, DbError> {
    let kinds = kind.map_or_else(|| SeedKind::ALL.to_vec(), |kind| vec![kind]);
    let living = seeds::table
        .filter(seeds::pinged_at.gt(since))
        .filter(seeds::country.is_not_null())
        .filter(seeds::seed_type.eq_any(kinds));
    let latest = living.order((seeds::pinged_at.desc(), seeds::imsi)).limit(limit);
    Ok(latest.select(SeedRow::as_select()).load(conn)?)
}

/// Which modem.
#[derive(Debug, Clone)]
pub(crate) enum SeedName {
    /// By its SIM.
    Imsi(String),
    /// By what stands for that.
    Pseudonym(String),
}

/// Finds the number of a modem that pinged after `since`.
pub(crate) fn number(conn: &mut DbConn, name: &SeedName, since: UnixMillis) -> Result<Option<E164>, DbError> {
    let living = seeds::table.filter(seeds::pinged_at.gt(since)).filter(seeds::country.is_not_null());
    let numbers = living.select(seeds::msisdn);
    Ok(match name {
        SeedName::Imsi(imsi) => numbers.filter(seeds::imsi.eq(sought(imsi))).first(conn).optional()?,
        SeedName::Pseudonym(name) => {
            numbers.filter(seeds::pseudonym.eq(sought(name))).first(conn).optional()?
        }
    })
}

/// Removes up to `limit` modems that have not pinged since `before`; returns how many.
pub(crate) fn prune(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let prune = diesel::sql_query(
        "DELETE FROM seeds WHERE imsi IN (SELECT imsi FROM seeds WHERE pinged_at < $1 ORDER BY pinged_at \
         LIMIT $2) AND pinged_at < $1",
    );
    let prune = prune.bind::<BigInt, _>(before).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| prune.execute(c))?)
}
