//! Whole messages: numbered per client for readers over HTTP, and in the outbox for the bus, in one transaction.

use std::collections::BTreeMap;

use bus::record::TRACEPARENT;
use bus::{Record, outbox};
use common::models::UnixMillis;
use common::models::sms::{ClientId, InboundId, SmsInbound};
use db::DbConn;
use diesel::prelude::*;
use diesel::upsert::excluded;
use telemetry::TraceContext;

use crate::store::StoreError;
use crate::store::schema::{sms_inbound, sms_inbound_sequences};

/// A row of `sms_inbound`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_inbound)]
pub(crate) struct InboundRow {
    pub(crate) client_id: ClientId,
    pub(crate) seq: i64,
    pub(crate) id: InboundId,
    pub(crate) recipient: String,
    pub(crate) sender: Option<String>,
    pub(crate) received_at: UnixMillis,
    pub(crate) parts: i32,
    pub(crate) partial: bool,
    pub(crate) keyword: Option<String>,
    pub(crate) payload: String,
}

impl From<&InboundRow> for SmsInbound {
    fn from(row: &InboundRow) -> Self {
        Self {
            client_id: row.client_id.clone(),
            inbound_id: row.id.clone(),
            recipient: row.recipient.clone(),
            sender: row.sender.clone(),
            timestamp: row.received_at,
            parts: u8::try_from(row.parts).unwrap_or(u8::MAX),
            partial: row.partial,
            // A word of a later version is a message like others to this one.
            keyword: row.keyword.as_deref().and_then(|word| word.parse().ok()),
            payload: row.payload.clone(),
        }
    }
}

/// Stores messages in their order. The last step of a transaction: the row of each client's number stays locked until
/// the end, which makes the order of the numbers the order in which readers can see them.
pub(super) fn publish(
    conn: &mut DbConn,
    topic: &str,
    records: &[SmsInbound],
    now: UnixMillis,
) -> Result<(), StoreError> {
    use sms_inbound_sequences::{client_id, last_seq, table};
    let mut of_client: BTreeMap<&ClientId, Vec<&SmsInbound>> = BTreeMap::new();
    for record in records {
        of_client.entry(&record.client_id).or_default().push(record);
    }
    // In the order of the clients, in which every transaction locks them.
    for (client, records) in of_client {
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let row = (client_id.eq(client), last_seq.eq(count));
        let last: i64 = db::on_backend!(conn, |c| diesel::insert_into(table)
            .values(row)
            .on_conflict(client_id)
            .do_update()
            .set(last_seq.eq(last_seq + excluded(last_seq)))
            .returning(last_seq)
            .get_result(c))?;
        for (seq, record) in (last - count + 1..).zip(records) {
            let row = InboundRow {
                client_id: record.client_id.clone(),
                seq,
                id: record.inbound_id.clone(),
                recipient: record.recipient.clone(),
                sender: record.sender.clone(),
                received_at: record.timestamp,
                parts: record.parts.into(),
                partial: record.partial,
                keyword: record.keyword.map(|word| word.as_str().to_owned()),
                payload: record.payload.clone(),
            };
            diesel::insert_into(sms_inbound::table).values(&row).execute(conn)?;
        }
    }
    let records = records.iter().map(|record| {
        let value = serde_json::to_vec(record).map_err(StoreError::unreadable)?;
        // By it the outbox tells this record from one with the same words.
        let span = TraceContext::random();
        Ok(Record::new(topic, record.key(), value).header(TRACEPARENT, span.to_string()))
    });
    let records = records.collect::<Result<Vec<Record>, StoreError>>()?;
    Ok(outbox::push(conn, &records, now)?)
}

/// Reads a client's messages behind `after`, in order.
pub(crate) fn since(
    conn: &mut DbConn,
    client: &ClientId,
    after: i64,
    limit: i64,
) -> Result<Vec<InboundRow>, StoreError> {
    use sms_inbound::{client_id, seq, table};
    Ok(table
        .filter(client_id.eq(client).and(seq.gt(after)))
        .order(seq)
        .limit(limit)
        .select(InboundRow::as_select())
        .load(conn)?)
}
