//! Verifications of phone numbers.

use common::models::{UnixMillis, VerificationId};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::rows::PhoneVerificationRow;
use super::schema::phone_verifications;

/// Stores a new verification.
pub(crate) fn insert(conn: &mut DbConn, row: PhoneVerificationRow) -> Result<(), DbError> {
    diesel::insert_into(phone_verifications::table).values(row).execute(conn)?;
    Ok(())
}

/// Reads a verification that has not expired, and keeps others from it until the transaction ends.
pub(crate) fn lock(
    conn: &mut DbConn,
    verification: VerificationId,
    now: UnixMillis,
) -> Result<Option<PhoneVerificationRow>, DbError> {
    let row = phone_verifications::table.find(verification).filter(phone_verifications::expires_at.gt(now));
    Ok(match conn {
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    })
}

/// Finds a verification that has not expired.
pub(crate) fn find(
    conn: &mut DbConn,
    verification: VerificationId,
    now: UnixMillis,
) -> Result<Option<PhoneVerificationRow>, DbError> {
    let row = phone_verifications::table.find(verification).filter(phone_verifications::expires_at.gt(now));
    Ok(row.first(conn).optional()?)
}

/// Finds the verification whose newest SMS this is, and keeps others from it until the transaction ends.
pub(crate) fn lock_by_sms(
    conn: &mut DbConn,
    correl_id: &str,
) -> Result<Option<PhoneVerificationRow>, DbError> {
    let row = phone_verifications::table.filter(phone_verifications::correl_id.eq(correl_id));
    Ok(match conn {
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    })
}

/// Replaces a verification that was locked.
pub(crate) fn update(conn: &mut DbConn, row: &PhoneVerificationRow) -> Result<(), DbError> {
    diesel::update(phone_verifications::table.find(row.verification_id)).set(row).execute(conn)?;
    Ok(())
}

/// Removes a verification that was used.
pub(crate) fn delete(conn: &mut DbConn, verification: VerificationId) -> Result<(), DbError> {
    diesel::delete(phone_verifications::table.find(verification)).execute(conn)?;
    Ok(())
}

/// Removes all verifications of a number.
pub(crate) fn delete_of(conn: &mut DbConn, phone: &str) -> Result<(), DbError> {
    let of_phone = phone_verifications::table.filter(phone_verifications::phone.eq(phone));
    diesel::delete(of_phone).execute(conn)?;
    Ok(())
}
