//! Devices of signal_server and what waits in their queues.
//!
//! Numbers of messages ascend within a queue in the order of their commits, since a send locks the queue's device before
//! it gets one.

pub(crate) mod devices;
pub(crate) mod messages;
pub(crate) mod sends;

use common::models::AccountId;
use db::{DbConn, DbError};

/// Removes a device with all that waits for it, and what is remembered of those before it.
pub(crate) fn erase(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    devices::delete(conn, account)?;
    devices::forget_of(conn, account)
}
