//! Whom accounts block.

use std::collections::HashSet;

use common::models::{AccountId, UnixMillis};
use db::{BatchQuery, BatchSql, DbConn, DbError, Rows, on_backend};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::schema::{blocks, mailboxes};

/// That an account blocks another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Queryable, Selectable)]
#[diesel(table_name = blocks)]
pub(crate) struct Block {
    #[diesel(column_name = account_id)]
    pub(crate) account: AccountId,
    #[diesel(column_name = blocked_account)]
    pub(crate) blocked: AccountId,
}

enum Among {}

impl BatchSql for Among {
    const SQL: &'static str = "SELECT {block} FROM {b} \
        JOIN blocks ON blocks.account_id = b.account AND blocks.blocked_account = b.blocked";
    type Row = (Text, Text);
}

/// Those of `doubtful` that are so.
pub(crate) fn among(conn: &mut DbConn, doubtful: &[Block]) -> Result<HashSet<Block>, DbError> {
    match conn {
        _ if doubtful.is_empty() => Ok(HashSet::new()),
        DbConn::Pg(c) => {
            let rows = Rows::of(doubtful)
                .column::<Text, _>("account", |block| block.account.as_str())
                .column::<Text, _>("blocked", |block| block.blocked.as_str());
            let found: Vec<Block> =
                BatchQuery::<Among>::new().columns_of::<Block>("block").rows("b", rows).load(c)?;
            Ok(found.into_iter().collect())
        }
        DbConn::Sqlite(c) => {
            let mut found = HashSet::new();
            for block in doubtful {
                let stored = blocks::table.find((block.account, block.blocked)).select(Block::as_select());
                found.extend(stored.first(c).optional()?);
            }
            Ok(found)
        }
    }
}

/// Blocks an account; again changes nothing.
pub(crate) fn insert(
    conn: &mut DbConn,
    account: AccountId,
    blocked: AccountId,
    now: UnixMillis,
) -> Result<(), DbError> {
    let row =
        (blocks::account_id.eq(account), blocks::blocked_account.eq(blocked), blocks::created_at.eq(now));
    on_backend!(conn, |c| {
        diesel::insert_into(blocks::table).values(row).on_conflict_do_nothing().execute(c)
    })?;
    Ok(())
}

/// Blocks an account no more.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId, blocked: AccountId) -> Result<(), DbError> {
    diesel::delete(blocks::table.find((account, blocked))).execute(conn)?;
    Ok(())
}

/// Removes all blocks of an account.
pub(super) fn delete_all(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(blocks::table.filter(blocks::account_id.eq(account))).execute(conn)?;
    Ok(())
}

/// Whom an account blocks, in the order of their ids.
pub(crate) fn list(conn: &mut DbConn, account: AccountId) -> Result<Vec<AccountId>, DbError> {
    let mine = blocks::table.filter(blocks::account_id.eq(account)).order(blocks::blocked_account);
    Ok(mine.select(blocks::blocked_account).load(conn)?)
}

/// Tells whether an account blocks another.
pub(crate) fn contains(conn: &mut DbConn, account: AccountId, other: AccountId) -> Result<bool, DbError> {
    Ok(diesel::select(exists(blocks::table.find((account, other)))).get_result(conn)?)
}

/// Counts whom an account blocks.
pub(crate) fn count(conn: &mut DbConn, account: AccountId) -> Result<i64, DbError> {
    Ok(blocks::table.filter(blocks::account_id.eq(account)).count().get_result(conn)?)
}

/// Notes in the mailboxes of an account whether it blocks anybody.
pub(crate) fn note(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    let any: bool =
        diesel::select(exists(blocks::table.filter(blocks::account_id.eq(account)))).get_result(conn)?;
    diesel::update(mailboxes::table.filter(mailboxes::account_id.eq(account)))
        .filter(mailboxes::has_blocks.ne(any))
        .set(mailboxes::has_blocks.eq(any))
        .execute(conn)?;
    Ok(())
}
