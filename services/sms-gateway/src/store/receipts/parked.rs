//! Receipts that wait for the response that names their segment: they came before it, or by another bind or instance.

use std::collections::HashMap;
use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::{BatchQuery, BatchSql, DbConn};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};
use sms::message_id::response_key;

use super::{Event, Receipt, Rules, StoreError, UNANSWERED};
use crate::domain::attempt::PartEvent;
use crate::domain::receipt::Fate;
use crate::store::rows::{ReceiptColumns, ReceiptRow};
use crate::store::schema::{sms_jobs, sms_parts, sms_receipts};
use crate::store::upkeep::ROUND;

/// How long a parked receipt waits for the submission that its id most likely means, before other readings count. With a
/// round to find it in, within the grace that an unknown outcome has.
const LIKELIEST_WITHIN: Duration = Duration::from_secs(3);

/// How long after it was tried in every way a receipt is tried so once more, for the last time. The transaction that
/// stores its submission may have begun before the one that parked it, so that neither saw the other. PostgreSQL ends one
/// that idles for a minute: after this time all of that age are through.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(90);

/// When a receipt was tried in every way that has not been.
const NEVER: UnixMillis = UnixMillis(0);

/// Finds the receipts that came before these responses, each with the place of its response in the batch.
pub(super) fn waiting_for(
    conn: &mut DbConn,
    rules: &Rules,
    responses: &[Event],
) -> Result<Vec<(usize, Receipt)>, StoreError> {
    let mut wanted: HashMap<&SmscName, HashMap<String, usize>> = HashMap::new();
    for response in responses {
        if let (Some((smsc, _)), PartEvent::Accepted { message_id: Some(id) }) =
            (&response.from, &response.event)
        {
            wanted.entry(smsc).or_default().insert(response_key(id, rules.id_base(smsc)), response.index);
        }
    }
    let mut found = Vec::new();
    for (smsc, indices) in wanted {
        for row in parked(conn, smsc, indices.keys().map(String::as_str).collect())? {
            let Some(index) = indices.get(&row.message_key) else { continue };
            found.push((*index, Receipt::from(row)));
        }
    }
    Ok(found)
}

enum Parked {}

impl BatchSql for Parked {
    const SQL: &'static str = "SELECT {receipt} FROM sms_receipts \
        WHERE smsc = {smsc} AND message_key = ANY({keys}) ORDER BY received_at";
    type Row = ReceiptColumns;
}

fn parked(conn: &mut DbConn, smsc: &SmscName, keys: Vec<&str>) -> QueryResult<Vec<ReceiptRow>> {
    match conn {
        DbConn::Pg(c) => BatchQuery::<Parked>::new()
            .columns_of::<ReceiptRow>("receipt")
            .value::<Text, _>("smsc", smsc.as_str())
            .value::<Array<Text>, _>("keys", keys)
            .load(c),
        DbConn::Sqlite(c) => sms_receipts::table
            .filter(sms_receipts::smsc.eq(smsc).and(sms_receipts::message_key.eq_any(keys)))
            .order(sms_receipts::received_at)
            .select(ReceiptRow::as_select())
            .load(c),
    }
}

impl From<ReceiptRow> for Receipt {
    fn from(row: ReceiptRow) -> Self {
        Self {
            parked: Some(row.id),
            widely: false,
            smsc: row.smsc,
            message_id: row.message_id,
            fate: Fate::from_columns(&row.state, row.error),
            recipient: row.recipient,
            received_at: row.received_at,
        }
    }
}

/// Lets go of a receipt that waits no longer.
pub(super) fn release(conn: &mut DbConn, receipt: &Receipt) -> Result<(), StoreError> {
    if let Some(parked) = &receipt.parked {
        let row = sms_receipts::smsc.eq(&receipt.smsc).and(sms_receipts::id.eq(parked));
        diesel::delete(sms_receipts::table.filter(row)).execute(conn)?;
    }
    Ok(())
}

/// Keeps a receipt until its submission is known.
pub(super) fn park(conn: &mut DbConn, rules: &Rules, receipt: &Receipt) -> Result<(), StoreError> {
    let (state, error) = receipt.fate.to_columns();
    let row = ReceiptRow {
        smsc: receipt.smsc.clone(),
        id: uuid::Uuid::now_v7().to_string(),
        message_id: receipt.message_id.clone(),
        message_key: receipt.keys(rules).into_iter().next().unwrap_or_default(),
        state: state.to_owned(),
        error: error.map(str::to_owned),
        received_at: receipt.received_at,
        tried: false,
        recipient: receipt.recipient.clone(),
        looked_at: NEVER,
    };
    diesel::insert_into(sms_receipts::table).values(&row).execute(conn)?;
    Ok(())
}

/// Notes that a parked receipt was tried in every way, in vain: it has one more such try after [`AGAIN_AFTER`], and after
/// that only what has happened since brings it up.
pub(super) fn note_tried(
    conn: &mut DbConn,
    (of, parked): (&SmscName, &str),
    now: UnixMillis,
) -> Result<(), StoreError> {
    use sms_receipts::{id, looked_at, smsc, table, tried};
    // Another instance may have tried it at the same time: both are the same try.
    let again = looked_at.gt(NEVER).and(looked_at.le(now - AGAIN_AFTER));
    diesel::update(table.filter(smsc.eq(of).and(id.eq(parked))))
        .set((tried.eq(tried.or(again)), looked_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Has a parked receipt tried in every way as if it had not been.
pub(super) fn begin_anew(conn: &mut DbConn, (of, parked): (&SmscName, &str)) -> Result<(), StoreError> {
    use sms_receipts::{id, looked_at, smsc, table, tried};
    diesel::update(table.filter(smsc.eq(of).and(id.eq(parked))))
        .set((tried.eq(false), looked_at.eq(NEVER)))
        .execute(conn)?;
    Ok(())
}

/// Gives the parked receipts that are to be tried now: those whose submission is known by now (another instance stored it
/// at the very moment when this one parked the receipt), those that have waited for it and are to be tried in every way,
/// and those towards whose recipient an outcome has become unknown since they were tried.
pub(crate) fn due(conn: &mut DbConn, now: UnixMillis) -> Result<Vec<Receipt>, StoreError> {
    let wide = now - LIKELIEST_WITHIN;
    // Stored long before the last try it would have been found then: an id that is read otherwise by now is not.
    let lately = (sms_parts::updated_at + AGAIN_AFTER.as_millis() as i64).gt(sms_receipts::looked_at);
    let same = sms_parts::smsc
        .eq(sms_receipts::smsc)
        .and(sms_parts::message_key.eq(sms_receipts::message_key.nullable()))
        .and(lately);
    let waited = sms_receipts::received_at.lt(wide).and(sms_receipts::looked_at.le(now - AGAIN_AFTER));
    // The condition of its index, word for word.
    let untried = || sms_receipts::table.filter(sql::<Bool>("NOT tried"));
    let mut rows: Vec<ReceiptRow> = untried()
        .filter(diesel::dsl::exists(sms_parts::table.filter(same)))
        .order(sms_receipts::received_at)
        .limit(ROUND)
        .select(ReceiptRow::as_select())
        .load(conn)?;
    // By itself, so that receipts of nobody keep none of those back. They have their second try when all others have had
    // their first.
    rows.extend(
        untried()
            .filter(waited)
            .order((sms_receipts::looked_at, sms_receipts::received_at))
            .limit(ROUND)
            .select(ReceiptRow::as_select())
            .load(conn)?,
    );
    let same = sms_jobs::recipient.eq(sms_receipts::recipient);
    rows.extend(
        sms_jobs::table
            .inner_join(sms_receipts::table.on(same))
            .filter(sql::<Bool>(UNANSWERED))
            .filter(sms_receipts::looked_at.gt(NEVER))
            .filter(sms_jobs::updated_at.gt(sms_receipts::looked_at))
            .order(sms_receipts::received_at)
            .limit(ROUND)
            .select(ReceiptRow::as_select())
            .load(conn)?,
    );
    rows.sort_by(|one, other| (one.received_at, &one.id).cmp(&(other.received_at, &other.id)));
    rows.dedup_by(|one, other| one.id == other.id);
    let receipt = |row: ReceiptRow| {
        let widely = row.received_at < wide;
        Receipt { widely, ..row.into() }
    };
    Ok(rows.into_iter().map(receipt).collect())
}
