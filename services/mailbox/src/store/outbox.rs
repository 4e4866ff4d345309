//! Mailbox events on their way out, written in the transaction of the change that they tell of.

use bus::Record;
use common::models::UnixMillis;
use common::models::events::MailboxEvent;
use db::{DbConn, DbError};
use uuid::Uuid;

/// Stores events for publication; per account they keep their order.
pub(crate) fn push(conn: &mut DbConn, events: &[MailboxEvent], now: UnixMillis) -> Result<(), DbError> {
    let records = events.iter().map(record).collect::<Result<Vec<Record>, DbError>>()?;
    bus::outbox::push(conn, &records, now)
}

fn record(event: &MailboxEvent) -> Result<Record, DbError> {
    let value = serde_json::to_vec(event).map_err(DbError::other)?;
    Ok(Record::new(MailboxEvent::TOPIC, event.account_id.as_str(), value)
        .header(bus::record::SCHEMA, MailboxEvent::SCHEMA)
        .header(bus::record::MESSAGE_ID, Uuid::now_v7().to_string()))
}
