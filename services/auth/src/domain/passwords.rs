//! Passwords: shown again before something grave, changed.

use common::models::{AccountId, SessionId};
use db::DbConn;

use super::attempts::{self, Subject};
use super::{AuthError, Password, sessions};
use crate::app::State;
use crate::store::rows::AccountRow;
use crate::store::{accounts, links, mails, totp};

/// Compares a password with a stored hash, as one guess at `subject`. Without a hash it takes as long, and is wrong.
///
/// Guesses at the same subject take turns: what is paid for is a guess until it has been looked at, and people whose
/// devices all log in at once have not guessed.
///
/// # Errors
/// [`AuthError::TooManyAttempts`], [`AuthError::Busy`].
pub(super) async fn check(
    state: &State,
    subject: Subject,
    stored: Option<String>,
    password: Password,
) -> Result<bool, AuthError> {
    let bucket = state.settings.password_attempts;
    let _turn = subject.turn(&state.guesses).await;
    attempts::spend(state, bucket, subject).await?;
    let verified = state.hasher.verify(stored, password).await;
    if !matches!(verified, Ok(false)) {
        attempts::put_back(state, bucket, subject).await?;
    }
    verified
}

/// Checks the password of somebody who is logged in, and reads the account.
///
/// # Errors
/// [`AuthError::BadCredentials`] for a wrong one, [`AuthError::NoAccount`] when it is gone, those of [`check`].
pub(crate) async fn confirm(
    state: &State,
    account: AccountId,
    password: Password,
) -> Result<AccountRow, AuthError> {
    let row = state.db.read(move |conn| accounts::by_id(conn, account)).await?.ok_or(AuthError::NoAccount)?;
    let subject = Subject::confirmation(state, account);
    if check(state, subject, Some(row.password_hash.clone()), password).await? {
        Ok(row)
    } else {
        Err(AuthError::BadCredentials)
    }
}

/// Locks the account whose password was confirmed. What a password was shown for is done under this lock: whoever knows an
/// old one does nothing after it was replaced, however long their request was on its way.
///
/// # Errors
/// [`AuthError::NoAccount`] when it is gone, [`AuthError::BadCredentials`] when it has another password meanwhile.
pub(super) fn lock(conn: &mut DbConn, confirmed: &AccountRow) -> Result<AccountRow, AuthError> {
    let row = accounts::lock(conn, confirmed.account_id)?.ok_or(AuthError::NoAccount)?;
    if row.password_hash == confirmed.password_hash { Ok(row) } else { Err(AuthError::BadCredentials) }
}

/// Replaces the password of somebody who shows the current one; see [`replace`].
///
/// # Errors
/// Those of [`confirm`] and [`replace`].
pub(crate) async fn change(
    state: &State,
    account: AccountId,
    session: SessionId,
    current: Password,
    new: Password,
) -> Result<(), AuthError> {
    let confirmed = confirm(state, account, current).await?;
    replace(state, confirmed, session, new).await
}

/// Replaces the password that was confirmed, and ends all sessions but the one that asks: whoever knew the old one is out.
/// Mails that were asked for until now are of no use any more, nor are link tokens.
///
/// # Errors
/// Those of [`lock`], [`AuthError::Busy`].
pub(crate) async fn replace(
    state: &State,
    confirmed: AccountRow,
    session: SessionId,
    new: Password,
) -> Result<(), AuthError> {
    let account = confirmed.account_id;
    let hash = state.hasher.hash(new).await?;
    let (now, until) = (state.clock.now(), state.revoked_until());
    let events = state
        .db
        .write(move |conn| {
            lock(conn, &confirmed)?;
            accounts::set_password(conn, account, &hash)?;
            mails::void(conn, account)?;
            links::delete_of(conn, account)?;
            totp::delete_challenges(conn, account)?;
            Ok::<_, AuthError>(sessions::end_all(conn, account, Some(session), now, until)?)
        })
        .await?;
    state.announce(&events).await;
    Ok(())
}
