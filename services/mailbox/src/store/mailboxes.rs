//! Mailboxes, and what is remembered of those that are gone.

use common::models::events::PreKeyKind;
use common::models::internal::OpenMailbox;
use common::models::{AccountId, Generation, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::rows::{MailboxColumns, MailboxRow};
use super::schema::{closed_generations, deleted_accounts, envelopes, idempotency_keys, mailboxes};
use super::{blocks, tickets};
use crate::domain::MailboxId;

/// Makes openings and closings of one account take turns, those of mailboxes that do not exist included. SQLite has
/// one writer anyway.
pub(crate) fn take_turn(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        let number = i64::from_be_bytes(account.to_bytes()[..8].try_into().map_err(DbError::other)?);
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(number).execute(c)?;
    }
    Ok(())
}

enum Lock {}

impl BatchSql for Lock {
    const SQL: &'static str = "SELECT {mailbox} FROM mailboxes WHERE account_id = ANY({accounts}) \
        ORDER BY account_id, device_id FOR UPDATE";
    type Row = MailboxColumns;
}

/// Locks all mailboxes of these accounts, and returns them by account and device.
pub(crate) fn lock(conn: &mut DbConn, accounts: &[AccountId]) -> Result<Vec<MailboxRow>, DbError> {
    match conn {
        DbConn::Pg(c) => {
            let accounts: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
            let lock = BatchQuery::<Lock>::new().columns_of::<MailboxRow>("mailbox");
            Ok(lock.value::<Array<Text>, _>("accounts", accounts).load(c)?)
        }
        DbConn::Sqlite(c) => {
            let mut rows = Vec::new();
            for account in accounts {
                let mine = mailboxes::table
                    .filter(mailboxes::account_id.eq(account))
                    .order(mailboxes::device_id)
                    .select(MailboxRow::as_select());
                rows.append(&mut mine.load(c)?);
            }
            Ok(rows)
        }
    }
}

/// Makes a mailbox, empty.
pub(crate) fn insert(
    conn: &mut DbConn,
    id: MailboxId,
    life: &OpenMailbox,
    now: UnixMillis,
) -> Result<(), DbError> {
    diesel::insert_into(mailboxes::table)
        .values((
            mailboxes::account_id.eq(id.account),
            mailboxes::device_id.eq(id.device),
            mailboxes::generation.eq(life.generation),
            mailboxes::registration_id.eq(life.registration_id),
            mailboxes::next_seq.eq(1_i64),
            mailboxes::envelope_count.eq(0_i64),
            mailboxes::byte_count.eq(0_i64),
            mailboxes::full_told.eq(false),
            mailboxes::opened_at.eq(now),
        ))
        .execute(conn)?;
    blocks::note(conn, id.account)
}

/// Gives a mailbox to a new life of its device, empty.
pub(crate) fn replace(
    conn: &mut DbConn,
    id: MailboxId,
    life: &OpenMailbox,
    now: UnixMillis,
) -> Result<(), DbError> {
    empty(conn, id)?;
    diesel::update(mailboxes::table.find((id.account, id.device)))
        .set((
            mailboxes::generation.eq(life.generation),
            mailboxes::registration_id.eq(life.registration_id),
            mailboxes::next_seq.eq(1_i64),
            mailboxes::envelope_count.eq(0_i64),
            mailboxes::byte_count.eq(0_i64),
            mailboxes::full_told.eq(false),
            mailboxes::urgent_waits.eq(false),
            mailboxes::opened_at.eq(now),
            mailboxes::ec_keys_left.eq(None::<i32>),
            mailboxes::pq_keys_left.eq(None::<i32>),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes how many prekeys of a kind a device has left, or that it has enough. Without a mailbox there is nobody to tell.
pub(crate) fn note_keys(
    conn: &mut DbConn,
    id: MailboxId,
    kind: PreKeyKind,
    left: Option<u32>,
) -> Result<(), DbError> {
    let left = left.map(|left| i32::try_from(left).unwrap_or(i32::MAX));
    let mailbox = diesel::update(mailboxes::table.find((id.account, id.device)));
    match kind {
        PreKeyKind::Ec => mailbox.set(mailboxes::ec_keys_left.eq(left)).execute(conn)?,
        PreKeyKind::Pq => mailbox.set(mailboxes::pq_keys_left.eq(left)).execute(conn)?,
    };
    Ok(())
}

/// Removes a mailbox with all it holds.
pub(crate) fn delete(conn: &mut DbConn, id: MailboxId) -> Result<(), DbError> {
    empty(conn, id)?;
    diesel::delete(mailboxes::table.find((id.account, id.device))).execute(conn)?;
    Ok(())
}

/// Removes what belongs to the life of a device.
fn empty(conn: &mut DbConn, id: MailboxId) -> Result<(), DbError> {
    tickets::remove(conn, id)?;
    let held = envelopes::table
        .filter(envelopes::account_id.eq(id.account))
        .filter(envelopes::device_id.eq(id.device));
    diesel::delete(held).execute(conn)?;
    Ok(())
}

/// Remembers that a life of a device ended.
pub(crate) fn bury(
    conn: &mut DbConn,
    id: MailboxId,
    generation: Generation,
    now: UnixMillis,
) -> Result<(), DbError> {
    let row = (
        closed_generations::account_id.eq(id.account),
        closed_generations::device_id.eq(id.device),
        closed_generations::generation.eq(generation),
        closed_generations::closed_at.eq(now),
    );
    on_backend!(conn, |c| {
        diesel::insert_into(closed_generations::table).values(row).on_conflict_do_nothing().execute(c)
    })?;
    Ok(())
}

/// Tells whether a life of a device ended.
pub(crate) fn is_buried(conn: &mut DbConn, id: MailboxId, generation: Generation) -> Result<bool, DbError> {
    let found = closed_generations::table.find((id.account, id.device, generation));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Removes what is left of an account beside its mailboxes, and remembers that it was deleted.
pub(crate) fn bury_account(conn: &mut DbConn, account: AccountId, now: UnixMillis) -> Result<(), DbError> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::account_id.eq(account))).execute(conn)?;
    blocks::delete_all(conn, account)?;
    let row = (deleted_accounts::account_id.eq(account), deleted_accounts::deleted_at.eq(now));
    on_backend!(conn, |c| {
        diesel::insert_into(deleted_accounts::table).values(row).on_conflict_do_nothing().execute(c)
    })?;
    Ok(())
}

/// Tells whether an account was deleted.
pub(crate) fn is_account_buried(conn: &mut DbConn, account: AccountId) -> Result<bool, DbError> {
    Ok(diesel::select(diesel::dsl::exists(deleted_accounts::table.find(account))).get_result(conn)?)
}

/// Forgets up to `limit` lives and as many accounts that ended before `before`; returns how many.
pub(crate) fn forget_buried(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    const LIVES: [&str; 2] = [
        "DELETE FROM closed_generations WHERE (account_id, device_id, generation) IN (SELECT account_id, device_id, \
         generation FROM closed_generations WHERE closed_at < $1 ORDER BY closed_at LIMIT $2)",
        "DELETE FROM deleted_accounts WHERE account_id IN (SELECT account_id FROM deleted_accounts \
         WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2)",
    ];
    let mut forgotten = 0;
    for sql in LIVES {
        let delete = diesel::sql_query(sql).bind::<BigInt, _>(before).bind::<BigInt, _>(limit);
        forgotten += on_backend!(conn, |c| delete.execute(c))?;
    }
    Ok(forgotten)
}
