//! The delivery report: what is counted of attempts whose rows are here, with what was counted of those that are gone.
//!
//! What must hold: an attempt is in one of the two at any time, as one transaction counts and deletes it, and one
//! statement reads both.

use common::models::UnixMillis;
use common::models::sms::{ClientId, SmscName};
use db::DbConn;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::StoreError;
use super::schema::sms_report;
use super::upkeep::{ENDED, ROUND};
use crate::domain::report::{Alike, bounds};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * 3600 * 1000;
/// What tells attempts apart, as columns of `sms_report`.
const CLASS: &str = "client_id, day, smsc, state, sent, bucket";

/// Which part of the report.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Of this client alone.
    pub(crate) client: Option<ClientId>,
    /// The first day, in days since 1970-01-01.
    pub(crate) from: i64,
    /// The last one.
    pub(crate) to: i64,
}

/// Attempts of one client, day and SMSC that are alike.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) client: ClientId,
    pub(crate) day: i64,
    /// The SMSC of the last try, if there was one.
    pub(crate) smsc: Option<SmscName>,
    pub(crate) alike: Alike,
}

#[derive(QueryableByName)]
struct GroupRow {
    #[diesel(sql_type = Text)]
    client_id: ClientId,
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = Text)]
    smsc: SmscName,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Integer)]
    sent: i32,
    #[diesel(sql_type = Integer)]
    bucket: i32,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    segments: i64,
}

impl GroupRow {
    fn read(self) -> Result<Group, StoreError> {
        let Self { client_id, day, smsc, state, sent, bucket, requests, segments } = self;
        let state = state.parse().map_err(StoreError::unreadable)?;
        let smsc = (!smsc.as_str().is_empty()).then_some(smsc);
        let alike = Alike { state, sent: sent != 0, bucket, requests, segments };
        Ok(Group { client: client_id, day, smsc, alike })
    }
}

/// Counts the attempts `j` for which `condition` holds.
fn counting(condition: &str) -> String {
    let took = "j.delivered_at - j.left_at";
    let mut bucket = format!("CASE WHEN j.state <> 'delivered' OR {took} IS NULL THEN -1");
    let mut last = 0;
    for (number, bound) in bounds() {
        bucket.push_str(&format!(" WHEN {took} <= {bound} THEN {number}"));
        last = number + 1;
    }
    bucket.push_str(&format!(" ELSE {last} END"));
    // The bit of SENT in the set of statuses.
    format!(
        "SELECT {CLASS}, COUNT(*) AS requests, CAST(SUM(segments) AS BIGINT) AS segments FROM (\
            SELECT j.client_id, j.created_at / {DAY} AS day, COALESCE(j.smsc, '') AS smsc, j.state, \
            j.emitted & 1 AS sent, {bucket} AS bucket, \
            (SELECT COUNT(*) FROM sms_parts AS p WHERE p.client_id = j.client_id AND p.job_id = j.id \
            AND p.state IN ('submitting', 'accepted', 'unknown')) AS segments \
            FROM sms_jobs AS j WHERE {condition}) AS facts WHERE TRUE GROUP BY {CLASS}"
    )
}

/// Reads the report, in no order.
pub(crate) fn read(conn: &mut DbConn, wanted: &Wanted) -> Result<Vec<Group>, StoreError> {
    let Wanted { client, from, to } = wanted;
    let of = if client.is_some() { "client_id = $1" } else { "$1 = ''" };
    let days = (from * DAY, (to + 1) * DAY);
    let live = counting(&format!("j.created_at >= {} AND j.created_at < {} AND {of}", days.0, days.1));
    let sql = format!(
        "{live} UNION ALL SELECT {CLASS}, requests, segments FROM sms_report \
         WHERE day >= {from} AND day <= {to} AND {of}"
    );
    let name = client.as_ref().map(ClientId::as_str).unwrap_or_default();
    let rows: Vec<GroupRow> =
        db::on_backend!(conn, |c| diesel::sql_query(sql).bind::<Text, _>(name).load(c))?;
    rows.into_iter().map(GroupRow::read).collect()
}

/// Deletes attempts that ended before `before`, and counts them in the report; gives their number.
pub(super) fn fold(conn: &mut DbConn, before: UnixMillis) -> Result<usize, StoreError> {
    #[derive(QueryableByName)]
    struct Last {
        #[diesel(sql_type = BigInt)]
        updated_at: UnixMillis,
    }
    // A whole round, and what changed in the same millisecond as its last one; or all there is.
    let last = format!(
        "SELECT updated_at FROM sms_jobs WHERE {ENDED} AND updated_at < {} ORDER BY updated_at LIMIT 1 OFFSET {}",
        before.as_i64(),
        ROUND - 1
    );
    let last = db::on_backend!(conn, |c| diesel::sql_query(last).get_result::<Last>(c).optional())?;
    let until = last.map_or(before.as_i64() - 1, |last| last.updated_at.as_i64());
    let old = format!("{ENDED} AND updated_at <= {until}");
    // A late receipt changes none of these any more, and another instance that comes here waits and finds them gone.
    if let DbConn::Pg(c) = conn {
        let lock = format!("SELECT 1 FROM sms_jobs WHERE {old} ORDER BY client_id, id FOR UPDATE");
        diesel::sql_query(lock).execute(c)?;
    }
    let count = format!(
        "INSERT INTO sms_report ({CLASS}, requests, segments) {} ON CONFLICT ({CLASS}) DO UPDATE SET \
         requests = sms_report.requests + excluded.requests, segments = sms_report.segments + excluded.segments",
        counting(&old)
    );
    diesel::sql_query(count).execute(conn)?;
    Ok(diesel::sql_query(format!("DELETE FROM sms_jobs WHERE {old}")).execute(conn)?)
}

/// Forgets days before that of `before`; gives the number of rows.
pub(super) fn prune(conn: &mut DbConn, before: UnixMillis) -> Result<usize, StoreError> {
    let day = before.as_i64().div_euclid(DAY);
    Ok(diesel::delete(sms_report::table.filter(sms_report::day.lt(day))).execute(conn)?)
}
