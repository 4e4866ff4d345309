//! Account events on their way out, written in the transaction of the change that they tell of.

use common::models::UnixMillis;
use common::models::events::AccountEvent;
use db::{DbConn, DbError};
use service::account_event_record;

/// Stores events for publication; those of an account that is locked keep their order.
pub(crate) fn push(conn: &mut DbConn, events: &[AccountEvent], now: UnixMillis) -> Result<(), DbError> {
    let records = events.iter().map(account_event_record).collect::<Result<Vec<_>, _>>();
    bus::outbox::push(conn, &records.map_err(DbError::other)?, now)
}
