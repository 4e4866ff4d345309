//! `/internal/sms-gateway/v1/audit`: what operators did.

use actix_web::get;
use actix_web::web::{Data, Query};
use common::models::{Problem, UnixMillis};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::store::audit::{self, AuditRow};

/// Entries of one page at most, and if nothing is said.
const MOST: i64 = 1000;
const USUAL: i64 = 100;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// The id of the last entry that is known; 0 for none.
    #[serde(default)]
    #[param(minimum = 0)]
    after: i64,
    /// Entries of one page: 1 to 1000, 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Something that an operator did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    /// Counts from 1 without gaps.
    id: i64,
    #[schema(value_type = i64)]
    at: UnixMillis,
    /// Who, as far as the request told.
    actor: String,
    /// What.
    action: String,
    /// To what.
    target: String,
    /// Covers this entry and all before it.
    hash: String,
    /// Whether the hash is right behind the entry before.
    intact: bool,
}

/// Reads the audit log, in order, and says of each entry whether it is as it was written.
#[utoipa::path(tag = "operators", params(Page), responses(
    (status = 200, body = Vec<Entry>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/audit")]
pub(crate) async fn read(
    _: Operator,
    gateway: Data<Gateway>,
    page: Query<Page>,
) -> Result<Json<Vec<Entry>>, Failure> {
    let Page { after, limit } = page.into_inner();
    let limit = limit.unwrap_or(USUAL);
    if after < 0 || !(1..=MOST).contains(&limit) {
        return Err(Failure::invalid("", "expected after from 0, and limit from 1 to 1000"));
    }
    // With the one before, to whose hash the first one is chained.
    let rows = gateway.db.read(move |conn| audit::since(conn, after.saturating_sub(1), limit + 1)).await?;
    Ok(Json(entries(rows, after, limit)))
}

fn entries(rows: Vec<AuditRow>, after: i64, limit: i64) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(rows.len());
    let mut before: Option<(i64, String)> = Some((0, String::new()));
    for row in rows {
        let intact = before.is_some_and(|(id, hash)| id + 1 == row.id && row.follows(&hash));
        before = Some((row.id, row.hash.clone()));
        if row.id > after && i64::try_from(entries.len()).is_ok_and(|count| count < limit) {
            let AuditRow { id, at, actor, action, target, hash } = row;
            entries.push(Entry { id, at, actor, action, target, hash, intact });
        }
    }
    entries
}
