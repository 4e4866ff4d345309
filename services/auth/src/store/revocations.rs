//! Sessions that ended before their access tokens did.

use common::models::UnixMillis;
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::rows::RevocationRow;
use super::schema::revocations;

/// Stores a revocation; an earlier one of the same session stays.
pub(crate) fn insert(conn: &mut DbConn, revocation: &RevocationRow) -> Result<(), DbError> {
    on_backend!(conn, |c| diesel::insert_into(revocations::table)
        .values(revocation)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Lists those that still matter at `now`.
pub(crate) fn live(conn: &mut DbConn, now: UnixMillis) -> Result<Vec<RevocationRow>, DbError> {
    Ok(revocations::table.filter(revocations::until.gt(now)).load(conn)?)
}
