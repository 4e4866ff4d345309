//! Prekeys that wait, and the memory of those that were given out.

use std::collections::HashSet;

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::rows::PrekeyRow;
use crate::store::schema::{signal_server_issued_prekeys as issued, signal_server_prekeys as prekeys};

/// Lists the prekeys that wait, in the order in which they are given.
pub(crate) fn waiting(conn: &mut DbConn, account: AccountId) -> Result<Vec<PrekeyRow>, DbError> {
    Ok(prekeys::table.filter(prekeys::account_id.eq(account)).order(prekeys::position).load(conn)?)
}

/// Stores prekeys.
pub(crate) fn insert(conn: &mut DbConn, rows: &[PrekeyRow]) -> Result<(), DbError> {
    if !rows.is_empty() {
        on_backend!(conn, |c| diesel::insert_into(prekeys::table).values(rows).execute(c))?;
    }
    Ok(())
}

/// Removes the prekeys that wait; whoever is just taking one comes first.
pub(crate) fn delete_waiting(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(prekeys::table.filter(prekeys::account_id.eq(account))).execute(conn)?;
    Ok(())
}

/// Removes all of an account, the memory of those that were given out included.
pub(crate) fn delete_all(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    delete_waiting(conn, account)?;
    diesel::delete(issued::table.filter(issued::account_id.eq(account))).execute(conn)?;
    Ok(())
}

/// Tells which of `hashes` an account has had given out.
pub(crate) fn issued_among(
    conn: &mut DbConn,
    account: AccountId,
    hashes: &[Vec<u8>],
) -> Result<HashSet<Vec<u8>>, DbError> {
    let found = issued::table
        .filter(issued::account_id.eq(account))
        .filter(issued::key_hash.eq_any(hashes))
        .select(issued::key_hash)
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// Forgets up to `limit` prekeys that were given out before `before`. Returns how many.
pub(crate) fn prune_issued(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let old: Vec<(AccountId, Vec<u8>)> = issued::table
        .filter(issued::issued_at.lt(before))
        .order(issued::issued_at)
        .limit(limit)
        .select((issued::account_id, issued::key_hash))
        .load(conn)?;
    for (account, hash) in &old {
        diesel::delete(issued::table.find((account, hash))).execute(conn)?;
    }
    Ok(old.len())
}
