//! Second factors, their recovery codes, and logins that wait for one.

use common::crypto::token::HashedToken;
use common::models::{AccountId, UnixMillis};
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;

use super::rows::{ChallengeRow, TotpRow};
use super::schema::{challenges, recovery_codes, totp};

/// Finds the second factor of an account, confirmed or not.
pub(crate) fn find(conn: &mut DbConn, account: AccountId) -> Result<Option<TotpRow>, DbError> {
    Ok(totp::table.find(account).first(conn).optional()?)
}

/// Stores a secret that is not confirmed yet, in place of another such. Tells whether it did: a confirmed one stays.
pub(crate) fn begin(conn: &mut DbConn, account: AccountId, secret: &[u8]) -> Result<bool, DbError> {
    let pending = totp::table.find(account).filter(totp::confirmed_at.is_null());
    diesel::delete(pending).execute(conn)?;
    let row = TotpRow { account_id: account, secret: secret.to_vec(), confirmed_at: None, last_step: 0 };
    let stored = on_backend!(conn, |c| diesel::insert_into(totp::table)
        .values(&row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(stored == 1)
}

/// Notes that the owner has shown a code of the secret.
pub(crate) fn confirm(conn: &mut DbConn, account: AccountId, now: UnixMillis) -> Result<(), DbError> {
    diesel::update(totp::table.find(account)).set(totp::confirmed_at.eq(Some(now))).execute(conn)?;
    Ok(())
}

/// Uses a step up. Tells whether it was unused: of two that show the same code at once, one is told so.
pub(crate) fn use_step(conn: &mut DbConn, account: AccountId, step: i64) -> Result<bool, DbError> {
    let earlier = totp::table.find(account).filter(totp::last_step.lt(step));
    Ok(diesel::update(earlier).set(totp::last_step.eq(step)).execute(conn)? == 1)
}

/// Removes the second factor with its recovery codes.
pub(crate) fn delete(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(totp::table.find(account)).execute(conn)?;
    Ok(())
}

/// Puts a set of recovery codes in the place of the one before.
pub(crate) fn replace_recovery_codes(
    conn: &mut DbConn,
    account: AccountId,
    codes: &[HashedToken],
) -> Result<(), DbError> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::account_id.eq(account))).execute(conn)?;
    for code in codes {
        let row = (recovery_codes::account_id.eq(account), recovery_codes::code_hash.eq(*code));
        diesel::insert_into(recovery_codes::table).values(row).execute(conn)?;
    }
    Ok(())
}

/// Uses a recovery code up. Tells whether there was one.
pub(crate) fn use_recovery_code(
    conn: &mut DbConn,
    account: AccountId,
    code: HashedToken,
) -> Result<bool, DbError> {
    Ok(diesel::delete(recovery_codes::table.find((account, code))).execute(conn)? == 1)
}

/// Stores a login that waits.
pub(crate) fn insert_challenge(conn: &mut DbConn, challenge: ChallengeRow) -> Result<(), DbError> {
    diesel::insert_into(challenges::table).values(challenge).execute(conn)?;
    Ok(())
}

/// Tells whether such a login waits.
pub(crate) fn has_challenge(
    conn: &mut DbConn,
    account: AccountId,
    token: HashedToken,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let waiting = challenges::table.find((account, token)).filter(challenges::expires_at.gt(now));
    Ok(waiting.count().get_result::<i64>(conn)? == 1)
}

/// Ends the waiting of a login. Tells whether it still waited: of two that answer at once, one is told so.
pub(crate) fn take_challenge(
    conn: &mut DbConn,
    account: AccountId,
    token: HashedToken,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let waiting = challenges::table.find((account, token)).filter(challenges::expires_at.gt(now));
    Ok(diesel::delete(waiting).execute(conn)? == 1)
}

/// Forgets all logins of an account that wait: their password is no longer the right one.
pub(crate) fn delete_challenges(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(challenges::table.filter(challenges::account_id.eq(account))).execute(conn)?;
    Ok(())
}
