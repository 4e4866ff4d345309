//! Account events on their way out, written in the transaction of the change that they tell of.

use bus::Record;
use common::models::UnixMillis;
use common::models::events::AccountEvent;
use db::{DbConn, DbError};
use uuid::Uuid;

/// Stores events for publication; per account they keep their order.
pub(crate) fn push(conn: &mut DbConn, events: &[AccountEvent], now: UnixMillis) -> Result<(), DbError> {
    let records: Vec<Record> = events.iter().map(record).collect();
    bus::outbox::push(conn, &records, now)
}

fn record(event: &AccountEvent) -> Record {
    Record::new(AccountEvent::TOPIC, event.account_id.as_str(), serde_json::to_vec(event).unwrap_or_default())
        .header(bus::record::SCHEMA, AccountEvent::SCHEMA)
        .header(bus::record::MESSAGE_ID, Uuid::now_v7().to_string())
}
