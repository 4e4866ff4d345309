//! Tickets for websockets, by their hash.

use common::crypto::token::HashedToken;
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::tickets;
use crate::domain::MailboxId;

/// A ticket as stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tickets)]
pub(crate) struct TicketRow {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: DeviceId,
    pub(crate) ticket_hash: HashedToken,
    pub(crate) session_id: SessionId,
    pub(crate) token_issued_at: UnixMillis,
    pub(crate) token_expires_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// Stores a ticket in place of an earlier one of its device.
pub(crate) fn put(conn: &mut DbConn, row: &TicketRow) -> Result<(), DbError> {
    on_backend!(conn, |c| {
        diesel::insert_into(tickets::table)
            .values(row)
            .on_conflict((tickets::account_id, tickets::device_id))
            .do_update()
            .set(row)
            .execute(c)
    })?;
    Ok(())
}

/// Takes a ticket out, if it is there and has not expired: one caller gets it, ever.
pub(crate) fn take(
    conn: &mut DbConn,
    id: MailboxId,
    hash: HashedToken,
    now: UnixMillis,
) -> Result<Option<TicketRow>, DbError> {
    let taken = diesel::delete(
        tickets::table
            .filter(tickets::account_id.eq(id.account))
            .filter(tickets::device_id.eq(id.device))
            .filter(tickets::ticket_hash.eq(hash))
            .filter(tickets::expires_at.gt(now)),
    );
    Ok(on_backend!(conn, |c| taken.returning(TicketRow::as_returning()).get_result(c).optional())?)
}

/// Removes the ticket of a device.
pub(super) fn remove(conn: &mut DbConn, id: MailboxId) -> Result<(), DbError> {
    diesel::delete(tickets::table.find((id.account, id.device))).execute(conn)?;
    Ok(())
}

/// Removes up to `limit` tickets that have expired; returns how many.
pub(crate) fn prune(conn: &mut DbConn, now: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let prune = diesel::sql_query(
        "DELETE FROM tickets WHERE (account_id, device_id) IN (SELECT account_id, device_id FROM tickets \
         WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) AND expires_at <= $1",
    );
    let prune = prune.bind::<BigInt, _>(now).bind::<BigInt, _>(limit);
    Ok(on_backend!(conn, |c| prune.execute(c))?)
}
