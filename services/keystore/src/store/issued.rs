//! Tombstones of one-time keys that were given out.

use std::collections::HashSet;

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::schema::issued_keys;

/// Tells which of `hashes` an account has had given out.
pub(crate) fn among(
    conn: &mut DbConn,
    account: AccountId,
    hashes: &[Vec<u8>],
) -> Result<HashSet<Vec<u8>>, DbError> {
    let found = issued_keys::table
        .filter(issued_keys::account_id.eq(account))
        .filter(issued_keys::key_hash.eq_any(hashes))
        .select(issued_keys::key_hash)
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// Forgets up to `limit` keys that were given out before `before`. Returns how many.
pub(crate) fn prune(conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let old: Vec<(AccountId, Vec<u8>)> = issued_keys::table
        .filter(issued_keys::issued_at.lt(before))
        .order(issued_keys::issued_at)
        .limit(limit)
        .select((issued_keys::account_id, issued_keys::key_hash))
        .load(conn)?;
    for (account, hash) in &old {
        diesel::delete(issued_keys::table.find((account, hash))).execute(conn)?;
    }
    Ok(old.len())
}
