//! What operators look up: attempts, without what they say.

use common::models::UnixMillis;
use common::models::sms::{ClientId, CorrelId, JobId, SmscName};
use db::{DbConn, MultiBackend};
use diesel::prelude::*;

use super::StoreError;
use super::rows::{PartRow, StatusRow};
use super::schema::{sms_jobs, sms_parts, sms_statuses};
use crate::domain::state::JobState;

/// Most attempts and statuses under one id.
const MOST: i64 = 100;

/// An attempt, as far as it may be shown.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sms_jobs)]
pub(crate) struct LookRow {
    pub(crate) client_id: ClientId,
    pub(crate) id: JobId,
    pub(crate) correl_id: CorrelId,
    pub(crate) state: String,
    pub(crate) class: String,
    pub(crate) deadline: UnixMillis,
    pub(crate) due_at: Option<UnixMillis>,
    pub(crate) tries: i32,
    pub(crate) resends: i32,
    pub(crate) segments: i32,
    pub(crate) smsc: Option<SmscName>,
    pub(crate) possible_duplicate: bool,
    pub(crate) created_at: UnixMillis,
    pub(crate) updated_at: UnixMillis,
    pub(crate) traceparent: Option<String>,
}

/// Reads the attempts under a client's id, the first one first.
pub(crate) fn attempts(
    conn: &mut DbConn,
    client: &ClientId,
    correl: &CorrelId,
) -> Result<Vec<LookRow>, StoreError> {
    let same = sms_jobs::client_id.eq(client).and(sms_jobs::correl_id.eq(correl));
    let found = sms_jobs::table.filter(same).order((sms_jobs::created_at, sms_jobs::id)).limit(MOST);
    Ok(found.select(LookRow::as_select()).load(conn)?)
}

/// Reads the segments of an attempt.
pub(crate) fn parts(conn: &mut DbConn, attempt: &LookRow) -> Result<Vec<PartRow>, StoreError> {
    let of = sms_parts::client_id.eq(&attempt.client_id).and(sms_parts::job_id.eq(&attempt.id));
    let parts = sms_parts::table.filter(of).order(sms_parts::part);
    Ok(parts.select(PartRow::as_select()).load(conn)?)
}

/// Reads the statuses that were published under a client's id.
pub(crate) fn statuses(
    conn: &mut DbConn,
    client: &ClientId,
    correl: &CorrelId,
) -> Result<Vec<StatusRow>, StoreError> {
    let same = sms_statuses::client_id.eq(client).and(sms_statuses::correl_id.eq(correl));
    let found = sms_statuses::table.filter(same).order(sms_statuses::seq).limit(MOST);
    Ok(found.select(StatusRow::as_select()).load(conn)?)
}

/// Reads attempts whose outcome is unknown, behind the one named `after`, in the order of their ids, which is that of
/// their arrival.
pub(crate) fn unknown(
    conn: &mut DbConn,
    client: Option<&ClientId>,
    after: &str,
    limit: i64,
) -> Result<Vec<LookRow>, StoreError> {
    let mut found = sms_jobs::table
        .filter(sms_jobs::state.eq(JobState::Unknown.as_str()))
        .filter(sms_jobs::id.gt(after))
        .into_boxed::<MultiBackend>();
    if let Some(client) = client {
        found = found.filter(sms_jobs::client_id.eq(client));
    }
    Ok(found.order(sms_jobs::id).limit(limit).select(LookRow::as_select()).load(conn)?)
}
