//! Whose websocket is where: the claims on mailboxes, and the processes that made them.

use common::models::{AccountId, DeviceId, RegistrationId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::rows::{HolderRow, SocketRow};
use super::schema::{mailboxes, processes};
use crate::domain::MailboxId;

type SocketColumns =
    (Text, Integer, Text, BigInt, BigInt, Bool, BigInt, Nullable<Text>, Nullable<Integer>, Nullable<Integer>);

/// A claim on the one websocket of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) mailbox: MailboxId,
    /// The number of an earlier claim that goes on if it is still the last one, and ended by others; `None` for a new
    /// claim.
    pub(crate) again: Option<i64>,
}

enum LockAll {}

impl BatchSql for LockAll {
    const SQL: &'static str = "SELECT FROM {b} \
        JOIN mailboxes AS m ON m.account_id = b.account_id AND m.device_id = b.device_id \
        ORDER BY m.account_id, m.device_id FOR UPDATE OF m";
    type Row = ();
}

/// Locks mailboxes for several statements to come, each of which would keep the order only for itself. SQLite has one
/// writer anyway.
pub(crate) fn lock(conn: &mut DbConn, ids: &[MailboxId]) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        let rows = Rows::of(ids)
            .column::<Text, _>("account_id", |id| id.account.as_str())
            .column::<Integer, _>("device_id", |id| id.device.as_i32());
        BatchQuery::<LockAll>::new().rows("b", rows).execute(c)?;
    }
    Ok(())
}

enum ClaimAll {}

impl BatchSql for ClaimAll {
    const SQL: &'static str = "WITH held AS MATERIALIZED (SELECT m.account_id, m.device_id, \
        CASE WHEN c.again IS NULL THEN 1 ELSE 0 END AS step FROM {c} \
        JOIN mailboxes AS m ON m.account_id = c.account_id AND m.device_id = c.device_id \
        WHERE c.again IS NULL OR (c.again = m.socket_claim AND m.socket_process IS NULL) ORDER BY m.account_id, m.device_id FOR UPDATE OF m) \
        UPDATE mailboxes SET socket_claim = socket_claim + held.step, socket_process = {process} FROM held \
        WHERE mailboxes.account_id = held.account_id AND mailboxes.device_id = held.device_id RETURNING {row}";
    type Row = SocketColumns;
}

/// Makes claims for a process, of different mailboxes; returns those that could be made, as the mailboxes are then.
pub(crate) fn claim(conn: &mut DbConn, claims: &[Claim], process: &str) -> Result<Vec<SocketRow>, DbError> {
    match conn {
        _ if claims.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(claims)
                .column::<Text, _>("account_id", |claim| claim.mailbox.account.as_str())
                .column::<Integer, _>("device_id", |claim| claim.mailbox.device.as_i32())
                .column::<Nullable<BigInt>, _>("again", |claim| claim.again);
            let query = BatchQuery::<ClaimAll>::new().columns_of::<SocketRow>("row").rows("c", rows);
            Ok(query.value::<Text, _>("process", process).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for Claim { mailbox: id, again } in claims {
                let mailbox = diesel::update(mailboxes::table.find((id.account, id.device)));
                let process = mailboxes::socket_process.eq(process);
                let made = match again {
                    Some(claim) => mailbox
                        .filter(mailboxes::socket_claim.eq(claim))
                        .filter(mailboxes::socket_process.is_null())
                        .set(process)
                        .returning(SocketRow::as_returning())
                        .get_result(c),
                    None => mailbox
                        .set((mailboxes::socket_claim.eq(mailboxes::socket_claim + 1), process))
                        .returning(SocketRow::as_returning())
                        .get_result(c),
                };
                rows.extend(made.optional()?);
            }
            Ok(rows)
        }
    }
}

enum LeaveAll {}

impl BatchSql for LeaveAll {
    const SQL: &'static str = "WITH held AS MATERIALIZED (SELECT m.account_id, m.device_id FROM {c} \
        JOIN mailboxes AS m ON m.account_id = c.account_id AND m.device_id = c.device_id \
        WHERE m.socket_claim = c.claim AND m.socket_process = {process} \
        ORDER BY m.account_id, m.device_id FOR UPDATE OF m) \
        UPDATE mailboxes SET socket_process = NULL FROM held \
        WHERE mailboxes.account_id = held.account_id AND mailboxes.device_id = held.device_id RETURNING {row}";
    type Row = SocketColumns;
}

/// Ends claims of a process, of different mailboxes; returns the mailboxes that nobody listens to now.
pub(crate) fn leave(
    conn: &mut DbConn,
    claims: &[(MailboxId, i64)],
    process: &str,
) -> Result<Vec<SocketRow>, DbError> {
    match conn {
        _ if claims.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(claims)
                .column::<Text, _>("account_id", |(id, _)| id.account.as_str())
                .column::<Integer, _>("device_id", |(id, _)| id.device.as_i32())
                .column::<BigInt, _>("claim", |(_, claim)| *claim);
            let query = BatchQuery::<LeaveAll>::new().columns_of::<SocketRow>("row").rows("c", rows);
            Ok(query.value::<Text, _>("process", process).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for (id, claim) in claims {
                let left = diesel::update(mailboxes::table.find((id.account, id.device)))
                    .filter(mailboxes::socket_claim.eq(claim))
                    .filter(mailboxes::socket_process.eq(process))
                    .set(mailboxes::socket_process.eq(None::<&str>));
                rows.extend(left.returning(SocketRow::as_returning()).get_result(c).optional()?);
            }
            Ok(rows)
        }
    }
}

enum FindAll {}

impl BatchSql for FindAll {
    const SQL: &'static str = "SELECT {row} FROM {c} JOIN mailboxes ON mailboxes.account_id = c.account_id \
        AND mailboxes.device_id = c.device_id";
    type Row = SocketColumns;
}

/// Reads mailboxes; those that are gone are left out.
pub(crate) fn find(conn: &mut DbConn, ids: &[MailboxId]) -> Result<Vec<SocketRow>, DbError> {
    match conn {
        _ if ids.is_empty() => Ok(Vec::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(ids)
                .column::<Text, _>("account_id", |id| id.account.as_str())
                .column::<Integer, _>("device_id", |id| id.device.as_i32());
            Ok(BatchQuery::<FindAll>::new().columns_of::<SocketRow>("row").rows("c", rows).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for id in ids {
                let found = mailboxes::table.find((id.account, id.device)).select(SocketRow::as_select());
                rows.extend(found.first(c).optional()?);
            }
            Ok(rows)
        }
    }
}

/// The devices of an account with their registration ids, without locks.
pub(crate) fn devices(
    conn: &mut DbConn,
    account: AccountId,
) -> Result<Vec<(DeviceId, RegistrationId)>, DbError> {
    let mine = mailboxes::table.filter(mailboxes::account_id.eq(account)).order(mailboxes::device_id);
    Ok(mine.select((mailboxes::device_id, mailboxes::registration_id)).load(conn)?)
}

/// Reads who holds the socket of one mailbox.
pub(crate) fn holder(conn: &mut DbConn, id: MailboxId) -> Result<Option<HolderRow>, DbError> {
    let found = mailboxes::table.find((id.account, id.device)).select(HolderRow::as_select());
    Ok(found.first(conn).optional()?)
}

/// Notes that a process has sockets from now on; again changes nothing. Until the transaction ends, nobody else enlists
/// the process or strikes it off.
pub(crate) fn enlist(conn: &mut DbConn, process: &str, now: UnixMillis) -> Result<(), DbError> {
    let row = (processes::process.eq(process), processes::started_at.eq(now));
    on_backend!(conn, |c| diesel::insert_into(processes::table)
        .values(row)
        .on_conflict(processes::process)
        .do_update()
        // For the lock: a row that is only found is not locked.
        .set(processes::started_at.eq(processes::started_at))
        .execute(c))?;
    Ok(())
}

/// The processes that may have sockets, apart from `own`.
pub(crate) fn others(conn: &mut DbConn, own: &str) -> Result<Vec<String>, DbError> {
    Ok(processes::table.filter(processes::process.ne(own)).select(processes::process).load(conn)?)
}

/// Forgets a process that has no sockets any more.
pub(crate) fn strike(conn: &mut DbConn, process: &str) -> Result<(), DbError> {
    diesel::delete(processes::table.find(process)).execute(conn)?;
    Ok(())
}

/// Up to `limit` claims of a process whose sockets are open as far as the table knows.
pub(crate) fn of_process(
    conn: &mut DbConn,
    process: &str,
    limit: i64,
) -> Result<Vec<(MailboxId, i64)>, DbError> {
    let found: Vec<(AccountId, DeviceId, i64)> = mailboxes::table
        .filter(mailboxes::socket_process.eq(process))
        .limit(limit)
        .select((mailboxes::account_id, mailboxes::device_id, mailboxes::socket_claim))
        .load(conn)?;
    Ok(found.into_iter().map(|(account, device, claim)| (MailboxId { account, device }, claim)).collect())
}

/// Lets the server find out within half a minute that the host at the other end of this connection is gone, and with it
/// the locks it held. A process that is killed is noticed at once.
pub(crate) fn notice_a_lost_host(conn: &mut DbConn) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        c.batch_execute(
            "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
        )?;
    }
    Ok(())
}

/// Takes the lock that tells that `process` lives, if nobody has it; it ends with the connection. A SQLite file belongs
/// to one process: whoever asks for another one's lock gets it.
pub(crate) fn try_lock(conn: &mut DbConn, process: &str) -> Result<bool, DbError> {
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('sealpost.process.' || $1, 0)) AS done";
    advisory(conn, lock, process)
}

/// Gives the lock of a process back.
pub(crate) fn unlock(conn: &mut DbConn, process: &str) -> Result<(), DbError> {
    let unlock = "SELECT pg_advisory_unlock(hashtextextended('sealpost.process.' || $1, 0)) AS done";
    advisory(conn, unlock, process).map(drop)
}

fn advisory(conn: &mut DbConn, sql: &str, process: &str) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        done: bool,
    }

    match conn {
        DbConn::Pg(c) => Ok(diesel::sql_query(sql).bind::<Text, _>(process).get_result::<Answer>(c)?.done),
        DbConn::Sqlite(_) => Ok(true),
    }
}
