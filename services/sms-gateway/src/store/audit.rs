//! The log of what operators do.

use common::models::UnixMillis;
use db::DbConn;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::StoreError;
use super::schema::sms_audit;
use crate::domain::audit::{Act, Link};

/// Makes those who add to the log take turns.
const TURN: i64 = 0x5345_414c_5f41_5544;

/// An entry as stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_audit)]
pub(crate) struct AuditRow {
    pub(crate) id: i64,
    pub(crate) at: UnixMillis,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) hash: String,
}

impl AuditRow {
    /// Tells whether it follows the entry before.
    pub(crate) fn follows(&self, before: &str) -> bool {
        let Self { id, at, actor, action, target, hash } = self;
        Link { id: *id, at: *at, actor, action, target }.hash(before) == *hash
    }
}

/// Adds an entry, in the transaction of what it tells of.
pub(crate) fn add(conn: &mut DbConn, act: &Act, now: UnixMillis) -> Result<(), StoreError> {
    if let DbConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(TURN).execute(c)?;
    }
    let last: Option<(i64, String)> = sms_audit::table
        .order(sms_audit::id.desc())
        .select((sms_audit::id, sms_audit::hash))
        .first(conn)
        .optional()?;
    let (last, before) = last.unwrap_or_default();
    let id = last.saturating_add(1);
    let hash = Link { id, at: now, actor: &act.actor, action: act.action, target: &act.target }.hash(&before);
    let row = AuditRow {
        id,
        at: now,
        actor: act.actor.clone(),
        action: act.action.to_owned(),
        target: act.target.clone(),
        hash,
    };
    diesel::insert_into(sms_audit::table).values(row).execute(conn)?;
    Ok(())
}

/// Reads entries behind `after`, in order.
pub(crate) fn since(conn: &mut DbConn, after: i64, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
    let behind = sms_audit::table.filter(sms_audit::id.gt(after)).order(sms_audit::id).limit(limit);
    Ok(behind.select(AuditRow::as_select()).load(conn)?)
}
