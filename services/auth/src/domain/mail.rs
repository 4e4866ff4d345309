//! What mail proves: that somebody reads an address, and may therefore be identified by it, and choose a new password.

use common::crypto::token::HashedToken;
use common::models::{AccountId, MailId, UnixMillis};
use db::{DbConn, DbError};

use super::attempts::Subject;
use super::{AccountToken, AuthError, EmailAddress, Password, passwords, sessions};
use crate::app::State;
use crate::store::rows::{AccountRow, MailRow, Purpose};
use crate::store::{accounts, mails, totp};

/// The mail by which an account's owner confirms an address.
pub(super) fn verification(account: AccountId, email: &EmailAddress, now: UnixMillis) -> MailRow {
    mail(Some(account), email, Purpose::VerifyEmail, now)
}

fn mail(account: Option<AccountId>, email: &EmailAddress, purpose: Purpose, now: UnixMillis) -> MailRow {
    MailRow {
        mail_id: MailId::new(),
        account_id: account,
        recipient: email.as_str().to_owned(),
        purpose,
        attempts: 0,
        due_at: now,
        created_at: now,
    }
}

/// Sends a mail to the address that somebody wants to have; it becomes theirs once they use what is in it, unless the
/// password is replaced before: then it was perhaps somebody else who asked.
///
/// # Errors
/// Those of [`passwords::confirm`] and [`passwords::lock`]; [`AuthError::NoMail`] when this server sends none.
pub(crate) async fn request_verification(
    state: &State,
    account: AccountId,
    password: Password,
    email: &EmailAddress,
) -> Result<(), AuthError> {
    must_send_mail(state)?;
    let confirmed = passwords::confirm(state, account, password).await?;
    let mail = verification(account, email, state.clock.now());
    let store = state.db.write(move |conn| {
        passwords::lock(conn, &confirmed)?;
        Ok::<_, AuthError>(mails::insert(conn, mail)?)
    });
    store.await?;
    state.mail_wanted.notify_one();
    Ok(())
}

/// Takes an account's address away.
///
/// # Errors
/// Those of [`passwords::confirm`] and [`passwords::lock`].
pub(crate) async fn forget_email(
    state: &State,
    account: AccountId,
    password: Password,
) -> Result<(), AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    let forget = state.db.write(move |conn| {
        passwords::lock(conn, &confirmed)?;
        for purpose in [Purpose::VerifyEmail, Purpose::ResetPassword] {
            mails::delete_tokens(conn, account, purpose)?;
        }
        Ok(accounts::set_email(conn, account, None)?)
    });
    forget.await
}

/// Takes the token out of a mail as proof that its address is read; the address identifies the account from now on.
///
/// # Errors
/// [`AuthError::BadMailToken`]; [`AuthError::EmailTaken`] when another account was quicker.
pub(crate) async fn verify(state: &State, token: &str) -> Result<(), AuthError> {
    let token = AccountToken::parse(token).map_err(|_| AuthError::BadMailToken)?;
    let (account, hash, now) = (token.account, token.secret.hashed(), state.clock.now());
    let verified = state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?;
            let found = mails::find_token(conn, account, hash, Purpose::VerifyEmail, now)?
                .ok_or(AuthError::BadMailToken)?;
            mails::delete_tokens(conn, account, Purpose::VerifyEmail)?;
            Ok(accounts::set_email(conn, account, Some((&found.email, now)))?)
        })
        .await;
    match verified {
        Err(AuthError::Db(DbError::UniqueViolation { .. })) => Err(AuthError::EmailTaken),
        verified => verified,
    }
}

/// Asks for a mail by which the owner of an address chooses a new password. Whether there is an account is looked up
/// when the mail is sent, so that nothing here depends on it.
///
/// # Errors
/// [`AuthError::NoMail`] when this server sends none.
pub(crate) async fn request_reset(state: &State, email: &EmailAddress) -> Result<(), AuthError> {
    request(state, email, Purpose::ResetPassword).await
}

/// Asks for a mail to whoever has an address, if anybody.
///
/// # Errors
/// [`AuthError::NoMail`] when this server sends none.
pub(super) async fn request(state: &State, email: &EmailAddress, purpose: Purpose) -> Result<(), AuthError> {
    must_send_mail(state)?;
    let mail = mail(None, email, purpose, state.clock.now());
    state.db.write(move |conn| mails::insert(conn, mail)).await?;
    state.mail_wanted.notify_one();
    Ok(())
}

/// Sets a new password by the token out of a mail, and ends all sessions.
///
/// # Errors
/// [`AuthError::BadMailToken`], [`AuthError::Busy`].
pub(crate) async fn reset(state: &State, token: &str, new: Password) -> Result<(), AuthError> {
    let token = AccountToken::parse(token).map_err(|_| AuthError::BadMailToken)?;
    let (account, hash, now) = (token.account, token.secret.hashed(), state.clock.now());
    let known =
        state.db.read(move |conn| mails::find_token(conn, account, hash, Purpose::ResetPassword, now));
    known.await?.ok_or(AuthError::BadMailToken)?;
    let still_theirs = |_: &mut DbConn, row: &AccountRow, email: &str| {
        Ok(row.email_verified_at.is_some() && row.email.as_deref() == Some(email))
    };
    set_password(state, Spent { account, hash, purpose: Purpose::ResetPassword, still_theirs }, new).await
}

/// The token out of a mail that sets a password.
pub(super) struct Spent<F> {
    pub(super) account: AccountId,
    pub(super) hash: HashedToken,
    pub(super) purpose: Purpose,
    /// Whether the address that the mail went to is still the account's.
    pub(super) still_theirs: F,
}

/// Uses a token up to set a new password, and ends all sessions. Other mails that were asked for until now are of no use
/// any more.
///
/// # Errors
/// [`AuthError::BadMailToken`], [`AuthError::Busy`].
pub(super) async fn set_password<F>(state: &State, spent: Spent<F>, new: Password) -> Result<(), AuthError>
where
    F: Fn(&mut DbConn, &AccountRow, &str) -> Result<bool, DbError> + Send + 'static,
{
    let Spent { account, hash, purpose, still_theirs } = spent;
    let password_hash = state.hasher.hash(new).await?;
    let now = state.clock.now();
    let (until, guesses) = (state.revoked_until(), Subject::passwords(state, account));
    let events = state
        .db
        .write(move |conn| {
            let row = accounts::lock(conn, account)?.ok_or(AuthError::BadMailToken)?;
            let found =
                mails::find_token(conn, account, hash, purpose, now)?.ok_or(AuthError::BadMailToken)?;
            if !still_theirs(conn, &row, &found.email)? {
                return Err(AuthError::BadMailToken);
            }
            mails::void(conn, account)?;
            accounts::set_password(conn, account, &password_hash)?;
            totp::delete_challenges(conn, account)?;
            for subject in guesses {
                subject.forget(conn)?;
            }
            Ok(sessions::end_all(conn, account, None, now, until)?)
        })
        .await?;
    state.announce(&events).await;
    Ok(())
}

fn must_send_mail(state: &State) -> Result<(), AuthError> {
    if state.settings.mail.is_empty() { Err(AuthError::NoMail) } else { Ok(()) }
}
