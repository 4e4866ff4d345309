//! Token buckets of guesses.

use common::models::UnixMillis;
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::schema::attempts;

/// Reads when a bucket is full, and keeps others from it until the transaction ends; makes a full one when there is
/// none.
pub(crate) fn lock(conn: &mut DbConn, subject: &[u8], now: UnixMillis) -> Result<UnixMillis, DbError> {
    Ok(on_backend!(conn, |c| diesel::insert_into(attempts::table)
        .values((attempts::subject.eq(subject), attempts::full_at.eq(now)))
        .on_conflict(attempts::subject)
        .do_update()
        .set(attempts::full_at.eq(attempts::full_at))
        .returning(attempts::full_at)
        .get_result(c))?)
}

/// Notes when a bucket is full.
pub(crate) fn set(conn: &mut DbConn, subject: &[u8], full_at: UnixMillis) -> Result<(), DbError> {
    diesel::update(attempts::table.find(subject)).set(attempts::full_at.eq(full_at)).execute(conn)?;
    Ok(())
}

/// Forgets a bucket.
pub(crate) fn delete(conn: &mut DbConn, subject: &[u8]) -> Result<(), DbError> {
    diesel::delete(attempts::table.find(subject)).execute(conn)?;
    Ok(())
}
