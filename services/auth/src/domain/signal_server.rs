//! Accounts of the interface of signal_server.
//!
//! Such an account is an account like any other (it can be used by our own interface, with the same name and password),
//! with a row beside it; an account without that row is none here. Its tokens name a session without refresh tokens,
//! which ends with the name, the password and the account.

mod login;
mod name;
mod password_rules;
mod reset;

use common::models::{AccountId, SessionId};
use db::DbError;

pub(crate) use self::login::log_in;
pub(crate) use self::name::{ContactAddress, InvalidContact, MAX_ADDRESS, MAX_NAME, SignalServerName};
pub(crate) use self::password_rules::faults as password_faults;
pub(crate) use self::reset::{ResetKey, UsedKey, is_usable, is_user, request_reset, reset, uid};
use super::{AuthError, Password, passwords, sessions};
use crate::app::State;
use crate::settings::Registration;
use crate::store::rows::{AccountRow, Purpose};
use crate::store::signal_server::UserRow;
use crate::store::{accounts, mails, signal_server};

/// What a client gives to have an account.
pub(crate) struct NewUser {
    pub(crate) username: SignalServerName,
    pub(crate) password: Password,
    pub(crate) email: Option<ContactAddress>,
}

/// Makes an account; gives the number of the user. Nothing in this interface can carry an invite or a verified number.
///
/// # Errors
/// [`AuthError::RegistrationClosed`] unless registration is open, [`AuthError::UsernameTaken`].
pub(crate) async fn register(state: &State, new: NewUser) -> Result<i64, AuthError> {
    if state.settings.registration != Registration::Open {
        return Err(AuthError::RegistrationClosed);
    }
    let NewUser { username, password, email } = new;
    super::accounts::refuse_taken(state, username.as_str()).await?;
    let row = AccountRow {
        account_id: AccountId::new(),
        username: username.as_str().to_owned(),
        password_hash: state.hasher.hash(password).await?,
        email: None,
        phone: None,
        created_at: state.clock.now(),
        email_verified_at: None,
        phone_verified_at: None,
    };
    let stored = state.db.write(move |conn| {
        let account = row.account_id;
        super::accounts::claim_exactly(conn, &row.username)?;
        accounts::insert(conn, row).map_err(name_taken)?;
        Ok(signal_server::insert(conn, account, email.as_ref().map_or("", ContactAddress::as_str))?)
    });
    stored.await
}

/// A name is all that can be in somebody's way.
fn name_taken(error: DbError) -> AuthError {
    match error {
        DbError::UniqueViolation { .. } => AuthError::UsernameTaken,
        error => error.into(),
    }
}

/// Finds the user that has exactly this name.
///
/// # Errors
/// Those of the database.
pub(crate) async fn find(state: &State, username: &str) -> Result<Option<UserRow>, AuthError> {
    let name = username.to_owned();
    Ok(state.db.read(move |conn| signal_server::by_username(conn, &name)).await?)
}

/// Reads the user that an account is.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn read(state: &State, account: AccountId) -> Result<UserRow, AuthError> {
    let found = state.db.read(move |conn| signal_server::find(conn, account)).await?;
    found.ok_or(AuthError::NoAccount)
}

/// Tells whether a user has this number.
///
/// # Errors
/// Those of the database.
pub(crate) async fn exists(state: &State, user: i64) -> Result<bool, AuthError> {
    Ok(state.db.read(move |conn| signal_server::by_user_id(conn, user)).await?.is_some())
}

/// Replaces the address of a user; none takes it away. What was sent to the old one is of no use any more.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn set_email(
    state: &State,
    account: AccountId,
    email: Option<ContactAddress>,
) -> Result<(), AuthError> {
    let stored = state.db.write(move |conn| {
        mails::delete_tokens(conn, account, Purpose::ResetSignalServer)?;
        signal_server::set_email(conn, account, email.as_ref().map_or("", ContactAddress::as_str))
    });
    if stored.await? { Ok(()) } else { Err(AuthError::NoAccount) }
}

/// Tells whether nobody can take this name now: not those who have it either.
///
/// # Errors
/// Those of the database.
pub(crate) async fn is_taken(state: &State, name: &SignalServerName) -> Result<bool, AuthError> {
    match super::accounts::refuse_taken(state, name.as_str()).await {
        Ok(()) => Ok(false),
        Err(AuthError::UsernameTaken) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Replaces the name of an account whose password was confirmed, and ends all sessions of this interface: their tokens have
/// the old one in them.
///
/// # Errors
/// Those of [`passwords::lock`]; [`AuthError::UsernameTaken`], by the account itself too.
pub(crate) async fn rename(
    state: &State,
    confirmed: AccountRow,
    name: SignalServerName,
) -> Result<(), AuthError> {
    let account = confirmed.account_id;
    let (now, until) = (state.clock.now(), state.revoked_until());
    let events = state.db.write(move |conn| {
        let row = passwords::lock(conn, &confirmed)?;
        if row.username == name.as_str() {
            return Err(AuthError::UsernameTaken);
        }
        super::accounts::claim_exactly(conn, name.as_str())?;
        accounts::set_username(conn, account, name.as_str()).map_err(name_taken)?;
        let ended: Vec<SessionId> = signal_server::sessions(conn, account)?;
        Ok(sessions::end_these(conn, account, ended, now, until)?)
    });
    state.announce(&events.await?).await;
    Ok(())
}
