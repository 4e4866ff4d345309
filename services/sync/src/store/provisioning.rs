//! Addresses of provisioning, and the envelopes that wait there for a moment.

use common::crypto::token::HashedToken;
use common::models::{Base64Bytes, UnixMillis};
use db::{DbConn, DbError};
use diesel::prelude::*;

use super::schema::provisioning;

/// An address, by its hash.
#[derive(Insertable, Queryable)]
#[diesel(table_name = provisioning)]
pub(crate) struct ProvisioningRow {
    pub(crate) address_hash: HashedToken,
    pub(crate) expires_at: UnixMillis,
    /// When the other device had read the QR code.
    pub(crate) scanned_at: Option<UnixMillis>,
    /// What waits to be taken.
    pub(crate) envelope: Option<Base64Bytes>,
    /// When it was; the row then only says so.
    pub(crate) taken_at: Option<UnixMillis>,
}

/// Stores a fresh address.
pub(crate) fn insert(conn: &mut DbConn, address: HashedToken, expires_at: UnixMillis) -> Result<(), DbError> {
    let row = ProvisioningRow {
        address_hash: address,
        expires_at,
        scanned_at: None,
        envelope: None,
        taken_at: None,
    };
    diesel::insert_into(provisioning::table).values(row).execute(conn)?;
    Ok(())
}

/// Finds an address, expired or not.
pub(crate) fn find(conn: &mut DbConn, address: HashedToken) -> Result<Option<ProvisioningRow>, DbError> {
    Ok(provisioning::table.find(address).first(conn).optional()?)
}

/// Notes that the QR code was read. Tells whether the address still waits for an envelope.
pub(crate) fn mark_scanned(
    conn: &mut DbConn,
    address: HashedToken,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let waiting = provisioning::table
        .find(address)
        .filter(provisioning::expires_at.gt(now))
        .filter(provisioning::envelope.is_null())
        .filter(provisioning::taken_at.is_null());
    Ok(diesel::update(waiting).set(provisioning::scanned_at.eq(Some(now))).execute(conn)? == 1)
}

/// Leaves an envelope at an address. Tells whether it waited for one: of two that come at once, one is told so.
pub(crate) fn leave(
    conn: &mut DbConn,
    address: HashedToken,
    envelope: Base64Bytes,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let waiting = provisioning::table
        .find(address)
        .filter(provisioning::expires_at.gt(now))
        .filter(provisioning::envelope.is_null())
        .filter(provisioning::taken_at.is_null());
    Ok(diesel::update(waiting).set(provisioning::envelope.eq(Some(envelope))).execute(conn)? == 1)
}

/// Takes the envelope away, if there is one. It is gone from the table then.
pub(crate) fn take(
    conn: &mut DbConn,
    address: HashedToken,
    now: UnixMillis,
) -> Result<Option<Base64Bytes>, DbError> {
    let Some(envelope) = find(conn, address)?.and_then(|row| row.envelope) else { return Ok(None) };
    // Withdrawn meanwhile, it has no row any more.
    let held = provisioning::table.find(address).filter(provisioning::envelope.is_not_null());
    let taken = (provisioning::envelope.eq(None::<Base64Bytes>), provisioning::taken_at.eq(Some(now)));
    Ok((diesel::update(held).set(taken).execute(conn)? == 1).then_some(envelope))
}

/// Removes an address, with the envelope that nobody took. Tells whether there was one; a taken one stays, to say so.
pub(crate) fn withdraw(conn: &mut DbConn, address: HashedToken) -> Result<bool, DbError> {
    let untaken = provisioning::table.find(address).filter(provisioning::taken_at.is_null());
    Ok(diesel::delete(untaken).execute(conn)? == 1)
}

/// Removes up to `limit` addresses that expired before `until`. Tells how many there were.
pub(crate) fn prune(conn: &mut DbConn, until: UnixMillis, limit: i64) -> Result<usize, DbError> {
    let expired: Vec<HashedToken> = provisioning::table
        .filter(provisioning::expires_at.le(until))
        .select(provisioning::address_hash)
        .limit(limit)
        .load(conn)?;
    Ok(diesel::delete(provisioning::table.filter(provisioning::address_hash.eq_any(expired)))
        .execute(conn)?)
}
