//! Account events on their way out, written in the transaction of the change that they tell of.

use common::models::UnixMillis;
use common::models::events::AccountEvent;
use db::{DbConn, DbError};
use service::account_event_record;

/// Stores events for publication; per account they keep their order.
pub(crate) fn push(conn: &mut DbConn, events: &[AccountEvent], now: UnixMillis) -> Result<(), DbError> {
    let records: Result<Vec<_>, _> = events.iter().map(account_event_record).collect();
    bus::outbox::push(conn, &records.map_err(DbError::other)?, now)
}
