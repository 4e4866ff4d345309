//! Receipts that wait for the response that names their segment: they came before it, or by another bind or instance.

use std::collections::HashMap;

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::{BatchQuery, BatchSql, DbConn};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use sms::message_id::response_key;

use super::{Event, Receipt, Rules, StoreError};
use crate::domain::attempt::PartEvent;
use crate::domain::receipt::Fate;
use crate::store::rows::{ReceiptColumns, ReceiptRow};
use crate::store::schema::sms_receipts;

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

/// Keeps a receipt until its submission is known; of one that is kept already, notes whether it was tried in every way.
pub(super) fn park(
    conn: &mut DbConn,
    rules: &Rules,
    receipt: &Receipt,
    (has_been_tried, now): (bool, UnixMillis),
) -> Result<(), StoreError> {
    use sms_receipts::{id, looked_at, smsc, table, tried};
    if let Some(parked) = &receipt.parked {
        let row = table.filter(smsc.eq(&receipt.smsc).and(id.eq(parked)));
        diesel::update(row).set((tried.eq(has_been_tried), looked_at.eq(now))).execute(conn)?;
        return Ok(());
    }
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
        looked_at: now,
    };
    diesel::insert_into(table).values(&row).execute(conn)?;
    Ok(())
}
