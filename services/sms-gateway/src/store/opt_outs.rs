//! Recipients who want no more messages of a client, by the keyed hash of their number.

use std::collections::{BTreeSet, HashSet};

use common::models::UnixMillis;
use common::models::sms::ClientId;
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::StoreError;
use super::receipts::UNANSWERED;
use super::schema::{sms_jobs, sms_opt_outs};
use crate::domain::state::JobState;

/// Notes that a recipient has opted out; tells whether that is new.
pub(crate) fn put(
    conn: &mut DbConn,
    client: &ClientId,
    recipient: &str,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    use sms_opt_outs::{client_id, recipient as to, since, table};
    let row = (client_id.eq(client), to.eq(recipient), since.eq(now));
    let new = db::on_backend!(conn, |c| diesel::insert_into(table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(new == 1)
}

/// Takes it back; tells whether there was anything to take back.
pub(crate) fn remove(conn: &mut DbConn, client: &ClientId, recipient: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(sms_opt_outs::table.find((client, recipient))).execute(conn)? == 1)
}

/// Tells whether a recipient has opted out, and since when.
pub(crate) fn is_out(
    conn: &mut DbConn,
    client: &ClientId,
    recipient: &str,
) -> Result<Option<UnixMillis>, StoreError> {
    let row = sms_opt_outs::table.find((client, recipient)).select(sms_opt_outs::since);
    Ok(row.first(conn).optional()?)
}

/// Counts a client's recipients who have opted out.
pub(crate) fn count(conn: &mut DbConn, client: &ClientId) -> Result<i64, StoreError> {
    Ok(sms_opt_outs::table.filter(sms_opt_outs::client_id.eq(client)).count().get_result(conn)?)
}

enum Among {}

impl BatchSql for Among {
    const SQL: &'static str = "SELECT o.client_id, o.recipient FROM {k} \
        JOIN sms_opt_outs AS o ON o.client_id = k.client_id AND o.recipient = k.recipient";
    type Row = (Text, Text);
}

/// Gives those of `pairs` of client and recipient that have opted out.
pub(super) fn among(
    conn: &mut DbConn,
    pairs: &BTreeSet<(ClientId, String)>,
) -> Result<HashSet<(ClientId, String)>, StoreError> {
    if pairs.is_empty() {
        return Ok(HashSet::new());
    }
    let out: Vec<(ClientId, String)> = match conn {
        DbConn::Pg(c) => {
            let pairs: Vec<_> = pairs.iter().collect();
            let keys = Rows::of(&pairs)
                .column::<Text, _>("client_id", |pair| pair.0.as_str())
                .column::<Text, _>("recipient", |pair| pair.1.as_str());
            BatchQuery::<Among>::new().rows("k", keys).load(c)?
        }
        DbConn::Sqlite(c) => {
            let mut out = Vec::new();
            for (client, recipient) in pairs {
                let row = sms_opt_outs::table.find((client, recipient));
                out.extend(
                    row.select((sms_opt_outs::client_id, sms_opt_outs::recipient)).first(c).optional()?,
                );
            }
            out
        }
    };
    Ok(out.into_iter().collect())
}

/// Tells which of `pairs` an SMSC may still be given something for: claimed before they opted out, and not answered.
///
/// To be asked in a transaction of its own, after the one that stored the opt-outs. A claim that had not seen them may
/// be open still; it holds the gate shared since before it looked, so that whoever closes the gate here and then looks
/// sees what it claimed. Later ones see the opt-outs. SQLite has one writer at a time anyway.
pub(crate) fn under_way(
    conn: &mut DbConn,
    pairs: &BTreeSet<(ClientId, String)>,
) -> Result<HashSet<(ClientId, String)>, StoreError> {
    use sms_jobs::{client_id, recipient, state, table};
    if let DbConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(5210451)").execute(c)?;
    }
    let recipients: Vec<&str> = pairs.iter().map(|pair| pair.1.as_str()).collect();
    let open: Vec<(ClientId, Option<String>)> = table
        // The condition of its index, word for word.
        .filter(sql::<Bool>(UNANSWERED))
        .filter(recipient.eq_any(recipients).and(state.eq(JobState::Submitting.as_str())))
        .select((client_id, recipient))
        .load(conn)?;
    let named = open.into_iter().filter_map(|(client, to)| Some((client, to?)));
    Ok(named.filter(|pair| pairs.contains(pair)).collect())
}
