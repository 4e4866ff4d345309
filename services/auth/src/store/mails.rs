//! Mails to be sent, and the tokens that were sent.

use common::crypto::token::HashedToken;
use common::models::{AccountId, MailId, UnixMillis};
use db::{DbConn, DbError};
use diesel::dsl::exists;
use diesel::prelude::*;

use super::rows::{MailRow, MailTokenRow, Purpose};
use super::schema::{mail_tokens, mails};

/// Stores a mail to be sent.
pub(crate) fn insert(conn: &mut DbConn, mail: MailRow) -> Result<(), DbError> {
    diesel::insert_into(mails::table).values(mail).execute(conn)?;
    Ok(())
}

/// Takes the mail that has been due for the longest time at `now`, and counts a try. Nobody else gets it before `until`.
pub(crate) fn claim(
    conn: &mut DbConn,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<Option<MailRow>, DbError> {
    let due = mails::table.filter(mails::due_at.le(now)).order((mails::due_at, mails::mail_id)).limit(1);
    let claimed: Option<MailRow> = match conn {
        DbConn::Pg(c) => due.for_update().skip_locked().first(c).optional()?,
        DbConn::Sqlite(c) => due.first(c).optional()?,
    };
    let Some(mut mail) = claimed else { return Ok(None) };
    mail.attempts += 1;
    diesel::update(mails::table.find(mail.mail_id))
        .set((mails::attempts.eq(mail.attempts), mails::due_at.eq(until)))
        .execute(conn)?;
    Ok(Some(mail))
}

/// Makes all mails due at `now` that would be later.
pub(crate) fn hasten(conn: &mut DbConn, now: UnixMillis) -> Result<usize, DbError> {
    Ok(diesel::update(mails::table.filter(mails::due_at.gt(now))).set(mails::due_at.eq(now)).execute(conn)?)
}

/// Moves the next try of a mail.
pub(crate) fn postpone(conn: &mut DbConn, mail: MailId, due_at: UnixMillis) -> Result<(), DbError> {
    diesel::update(mails::table.find(mail)).set(mails::due_at.eq(due_at)).execute(conn)?;
    Ok(())
}

/// Removes a mail that is done with.
pub(crate) fn delete(conn: &mut DbConn, mail: MailId) -> Result<(), DbError> {
    diesel::delete(mails::table.find(mail)).execute(conn)?;
    Ok(())
}

/// Removes the mails that wait for an address, whoever asked for them.
pub(crate) fn delete_to(conn: &mut DbConn, recipient: &str) -> Result<(), DbError> {
    diesel::delete(mails::table.filter(mails::recipient.eq(recipient))).execute(conn)?;
    Ok(())
}

/// Removes the mails of one purpose that wait for an address.
pub(crate) fn delete_of(conn: &mut DbConn, recipient: &str, purpose: Purpose) -> Result<(), DbError> {
    let waiting = mails::table.filter(mails::recipient.eq(recipient)).filter(mails::purpose.eq(purpose));
    diesel::delete(waiting).execute(conn)?;
    Ok(())
}

/// Tells whether a mail is still to be sent.
pub(crate) fn is_waiting(conn: &mut DbConn, mail: MailId) -> Result<bool, DbError> {
    Ok(diesel::select(exists(mails::table.find(mail))).get_result(conn)?)
}

/// Stores a token that is about to be sent.
pub(crate) fn insert_token(conn: &mut DbConn, token: MailTokenRow) -> Result<(), DbError> {
    diesel::insert_into(mail_tokens::table).values(token).execute(conn)?;
    Ok(())
}

/// Finds a token that can be used at `now`.
pub(crate) fn find_token(
    conn: &mut DbConn,
    account: AccountId,
    hash: HashedToken,
    purpose: Purpose,
    now: UnixMillis,
) -> Result<Option<MailTokenRow>, DbError> {
    let usable = mail_tokens::table
        .find((account, hash))
        .filter(mail_tokens::purpose.eq(purpose))
        .filter(mail_tokens::expires_at.gt(now));
    Ok(usable.first(conn).optional()?)
}

/// Removes all tokens of an account for one purpose: one of them was used. Tells how many there were.
pub(crate) fn delete_tokens(
    conn: &mut DbConn,
    account: AccountId,
    purpose: Purpose,
) -> Result<usize, DbError> {
    let spent = mail_tokens::table
        .filter(mail_tokens::account_id.eq(account))
        .filter(mail_tokens::purpose.eq(purpose));
    Ok(diesel::delete(spent).execute(conn)?)
}

/// Removes all tokens of an account, and the mails that would bring more to an address it does not have yet: it has
/// another password now, and whoever knew the old one may have asked for them. Resets that wait stay: they go to its own.
pub(crate) fn void(conn: &mut DbConn, account: AccountId) -> Result<(), DbError> {
    diesel::delete(mail_tokens::table.filter(mail_tokens::account_id.eq(account))).execute(conn)?;
    let waiting = mails::table.filter(mails::account_id.eq(account));
    diesel::delete(waiting.filter(mails::purpose.eq(Purpose::VerifyEmail))).execute(conn)?;
    Ok(())
}
