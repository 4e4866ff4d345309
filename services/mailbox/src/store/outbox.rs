//! Mailbox events on their way out, written in the transaction of the change that they tell of.

use bus::Record;
use common::models::UnixMillis;
use common::models::events::MailboxEvent;
use db::{DbConn, DbError};
use telemetry::TraceContext;
use uuid::Uuid;

/// An event, and the trace of the request that caused it, if it was one.
pub(crate) type Caused = (MailboxEvent, Option<TraceContext>);

/// Stores events for publication; per account they keep their order.
pub(crate) fn push(conn: &mut DbConn, events: &[Caused], now: UnixMillis) -> Result<(), DbError> {
    let records = events.iter().map(record).collect::<Result<Vec<Record>, DbError>>()?;
    bus::outbox::push(conn, &records, now)
}

fn record((event, cause): &Caused) -> Result<Record, DbError> {
    let value = serde_json::to_vec(event).map_err(DbError::other)?;
    let trace = cause.map_or_else(TraceContext::random, |cause| cause.child());
    Ok(Record::new(MailboxEvent::TOPIC, event.account_id.as_str(), value)
        .header(bus::record::SCHEMA, MailboxEvent::SCHEMA)
        .header(bus::record::MESSAGE_ID, Uuid::now_v7().to_string())
        .header(bus::record::TRACEPARENT, trace.to_string()))
}
