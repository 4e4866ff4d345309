//! How much waits where. The counts are those that sends keep; the oldest is found by the primary key.

use common::models::operators::{AccountKind, Queue};
use common::models::{AccountId, DeviceId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::schema::{
    envelopes, mailboxes, signal_server_devices, signal_server_messages, woosh_inboxes, woosh_messages,
};

/// The one device that an account of signal_server has.
const ONLY_DEVICE: i64 = 1;

/// What waits in the mailboxes of an account, by device.
pub(crate) fn native(conn: &mut DbConn, account: AccountId) -> Result<Vec<Queue>, DbError> {
    let mine = mailboxes::table.filter(mailboxes::account_id.eq(account)).order(mailboxes::device_id);
    let columns = (mailboxes::device_id, mailboxes::envelope_count, mailboxes::byte_count);
    let counted: Vec<(DeviceId, i64, i64)> = mine.select(columns).load(conn)?;
    let mut queues = Vec::with_capacity(counted.len());
    for (device, count, bytes) in counted {
        let oldest_at = envelopes::table
            .filter(envelopes::account_id.eq(account))
            .filter(envelopes::device_id.eq(device))
            .order(envelopes::seq)
            .select(envelopes::server_timestamp)
            .first(conn)
            .optional()?;
        queues.push(Queue { kind: AccountKind::Native, device_id: Some(device), count, bytes, oldest_at });
    }
    Ok(queues)
}

/// What waits for the device of an account of signal_server.
pub(crate) fn signal_server(conn: &mut DbConn, account: AccountId) -> Result<Option<Queue>, DbError> {
    let columns = (signal_server_devices::message_count, signal_server_devices::byte_count);
    let counted: Option<(i64, i64)> =
        signal_server_devices::table.find(account).select(columns).first(conn).optional()?;
    let Some((count, bytes)) = counted else { return Ok(None) };
    let oldest_at: Option<UnixMillis> = signal_server_messages::table
        .filter(signal_server_messages::account_id.eq(account))
        .order(signal_server_messages::message_id)
        .select(signal_server_messages::sent_at)
        .first(conn)
        .optional()?;
    let device_id = Some(DeviceId::new(ONLY_DEVICE).map_err(DbError::other)?);
    Ok(Some(Queue { kind: AccountKind::SignalServer, device_id, count, bytes, oldest_at }))
}

/// What waits in the inbox of an account of Woosh.
pub(crate) fn woosh(conn: &mut DbConn, account: AccountId) -> Result<Option<Queue>, DbError> {
    let columns = (woosh_inboxes::message_count, woosh_inboxes::byte_count);
    let counted: Option<(i64, i64)> =
        woosh_inboxes::table.find(account).select(columns).first(conn).optional()?;
    let Some((count, bytes)) = counted else { return Ok(None) };
    let oldest_at: Option<UnixMillis> = woosh_messages::table
        .filter(woosh_messages::account_id.eq(account))
        .order(woosh_messages::message_id)
        .select(woosh_messages::sent_at)
        .first(conn)
        .optional()?;
    Ok(Some(Queue { kind: AccountKind::Woosh, device_id: None, count, bytes, oldest_at }))
}
