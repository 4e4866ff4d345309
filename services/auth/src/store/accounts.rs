//! Accounts, and the tombstones of deleted ones.

use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::rows::{AccountRow, DeletedBy};
use super::schema::{accounts, deleted_accounts, signal_server_accounts, woosh_accounts};

/// Stores a new account.
///
/// # Errors
/// [`DbError::UniqueViolation`] when the name is taken.
pub(crate) fn insert(conn: &mut DbConn, account: AccountRow) -> Result<(), DbError> {
    diesel::insert_into(accounts::table).values(account).execute(conn)?;
    Ok(())
}

/// Makes registrations of names that differ by case only take turns. SQLite has one writer anyway.
pub(crate) fn take_turn(conn: &mut DbConn, username: &str) -> Result<(), DbError> {
    if let DbConn::Pg(c) = conn {
        let folded = username.to_ascii_lowercase();
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<Text, _>(folded)
            .execute(c)?;
    }
    Ok(())
}

/// Tells whether an account has this name, which is folded, or one that differs by case only.
pub(crate) fn is_name_like(conn: &mut DbConn, folded: &str) -> Result<bool, DbError> {
    let like = accounts::table.filter(sql::<Bool>("lower(username) = ").bind::<Text, _>(folded));
    Ok(on_backend!(conn, |c| diesel::select(exists(like)).get_result(c))?)
}

/// Tells whether an account of our own interface has this name, which is folded, as theirs all are.
pub(crate) fn is_native_name(conn: &mut DbConn, folded: &str) -> Result<bool, DbError> {
    let of_woosh = woosh_accounts::table.filter(woosh_accounts::account_id.eq(accounts::account_id));
    let of_signal_server =
        signal_server_accounts::table.filter(signal_server_accounts::account_id.eq(accounts::account_id));
    let named = accounts::table.filter(accounts::username.eq(folded));
    let native = named.filter(not(exists(of_woosh))).filter(not(exists(of_signal_server)));
    Ok(on_backend!(conn, |c| diesel::select(exists(native)).get_result(c))?)
}

/// Finds an account by its name: the one that has it as it is written, or else the one that has it folded, as names of
/// our own interface are.
pub(crate) fn by_name(conn: &mut DbConn, written: &str) -> Result<Option<AccountRow>, DbError> {
    match by_username(conn, written)? {
        Some(exact) => Ok(Some(exact)),
        None => by_username(conn, &written.to_ascii_lowercase()),
    }
}

/// Finds an account by its name, exactly.
pub(crate) fn by_username(conn: &mut DbConn, username: &str) -> Result<Option<AccountRow>, DbError> {
    if !storable(username) {
        return Ok(None);
    }
    Ok(accounts::table.filter(accounts::username.eq(username)).first(conn).optional()?)
}

/// Finds the account that a login by this name is about, be it an address or a name, and whichever interface lets it in.
pub(crate) fn by_login(conn: &mut DbConn, written: &str) -> Result<Option<AccountRow>, DbError> {
    let addressed = match written.contains('@') {
        true => by_email(conn, &written.to_ascii_lowercase())?,
        false => None,
    };
    match addressed {
        Some(account) => Ok(Some(account)),
        None => by_name(conn, written),
    }
}

/// Finds the account that an address identifies.
pub(crate) fn by_email(conn: &mut DbConn, email: &str) -> Result<Option<AccountRow>, DbError> {
    if !storable(email) {
        return Ok(None);
    }
    let verified = accounts::table.filter(accounts::email_verified_at.is_not_null());
    Ok(verified.filter(accounts::email.eq(email)).first(conn).optional()?)
}

/// Whatever somebody may send as a name: PostgreSQL has no NUL in text, and fails where SQLite finds nothing.
pub(super) fn storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Finds the account that has verified a number.
pub(crate) fn by_phone(conn: &mut DbConn, phone: &str) -> Result<Option<AccountId>, DbError> {
    let verified = accounts::table.filter(accounts::phone_verified_at.is_not_null());
    let with_number = verified.filter(accounts::phone.eq(phone));
    Ok(with_number.select(accounts::account_id).first(conn).optional()?)
}

/// Finds an account by its id.
pub(crate) fn by_id(conn: &mut DbConn, account: AccountId) -> Result<Option<AccountRow>, DbError> {
    Ok(accounts::table.find(account).first(conn).optional()?)
}

/// Reads an account and keeps it as it is until the transaction ends: what depends on its password, or adds to what
/// hangs on it, happens before a change of it or after, never beside.
pub(crate) fn lock(conn: &mut DbConn, account: AccountId) -> Result<Option<AccountRow>, DbError> {
    let row = accounts::table.find(account);
    Ok(match conn {
        DbConn::Pg(c) => row.for_update().first(c).optional()?,
        DbConn::Sqlite(c) => row.first(c).optional()?,
    })
}

/// Gives an account an address that was verified, or takes away the one it has.
///
/// # Errors
/// [`DbError::UniqueViolation`] when it identifies another account.
pub(crate) fn set_email(
    conn: &mut DbConn,
    account: AccountId,
    verified: Option<(&str, UnixMillis)>,
) -> Result<(), DbError> {
    let (email, at) = verified.unzip();
    diesel::update(accounts::table.find(account))
        .set((accounts::email.eq(email), accounts::email_verified_at.eq(at)))
        .execute(conn)?;
    Ok(())
}

/// Gives an account a number that was verified, or takes away the one it has.
///
/// # Errors
/// [`DbError::UniqueViolation`] when it identifies another account.
pub(crate) fn set_phone(
    conn: &mut DbConn,
    account: AccountId,
    verified: Option<(&str, UnixMillis)>,
) -> Result<(), DbError> {
    let (phone, at) = verified.unzip();
    diesel::update(accounts::table.find(account))
        .set((accounts::phone.eq(phone), accounts::phone_verified_at.eq(at)))
        .execute(conn)?;
    Ok(())
}

/// Replaces the name.
///
/// # Errors
/// [`DbError::UniqueViolation`] when it is taken.
pub(crate) fn set_username(conn: &mut DbConn, account: AccountId, username: &str) -> Result<(), DbError> {
    diesel::update(accounts::table.find(account)).set(accounts::username.eq(username)).execute(conn)?;
    Ok(())
}

/// Replaces the hash of a password.
pub(crate) fn set_password(conn: &mut DbConn, account: AccountId, hash: &str) -> Result<(), DbError> {
    diesel::update(accounts::table.find(account)).set(accounts::password_hash.eq(hash)).execute(conn)?;
    Ok(())
}

/// Removes an account and everything that hangs on it. Tells whether there was one.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId) -> Result<bool, DbError> {
    Ok(diesel::delete(accounts::table.find(account)).execute(conn)? == 1)
}

/// Remembers that an account was deleted, when and by whom; what was remembered before stays. Gives when it was.
pub(crate) fn bury(
    conn: &mut DbConn,
    account: AccountId,
    by: DeletedBy,
    now: UnixMillis,
) -> Result<UnixMillis, DbError> {
    let tombstone = (
        deleted_accounts::account_id.eq(account),
        deleted_accounts::deleted_at.eq(now),
        deleted_accounts::deleted_by.eq(by),
    );
    on_backend!(conn, |c| diesel::insert_into(deleted_accounts::table)
        .values(tombstone)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(deleted_accounts::table.find(account).select(deleted_accounts::deleted_at).first(conn)?)
}

/// Lists accounts deleted since `from`.
pub(crate) fn deleted_since(
    conn: &mut DbConn,
    from: UnixMillis,
) -> Result<Vec<(AccountId, UnixMillis)>, DbError> {
    let recent = deleted_accounts::table.filter(deleted_accounts::deleted_at.gt(from));
    Ok(recent.select((deleted_accounts::account_id, deleted_accounts::deleted_at)).load(conn)?)
}
