//! Accounts: made by registration, gone by deletion.

use common::crypto::secret::Secret;
use common::crypto::token::PlainToken;
use common::models::events::{AccountChange, AccountEvent};
use common::models::{AccountId, E164};
use db::DbError;

use super::attempts::Subject;
use super::{AuthError, Password, Username, passwords};
use crate::app::State;
use crate::settings::Registration;
use crate::store::rows::AccountRow;
use crate::store::{accounts, invites, outbox, sessions, totp};

/// What a person gives to have an account. E-mail and phone are contact data; they identify nobody before they are
/// verified.
pub(crate) struct NewAccount {
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<E164>,
    pub(crate) invite_code: Option<Secret<String>>,
}

/// Makes an account.
///
/// The password is hashed before anything is looked up, and an invite is looked at before the name: answers and their
/// times tell whether a name is taken only to somebody who may have it.
///
/// # Errors
/// [`AuthError::RegistrationClosed`], [`AuthError::InviteNeeded`] by the mode; [`AuthError::UsernameTaken`].
pub(crate) async fn register(state: &State, new: NewAccount) -> Result<AccountId, AuthError> {
    let invite = match (state.settings.registration, new.invite_code) {
        (Registration::Closed, _) => return Err(AuthError::RegistrationClosed),
        (Registration::Open, _) => None,
        (Registration::Invite, code) => {
            let code: PlainToken =
                code.and_then(|code| code.expose().parse().ok()).ok_or(AuthError::InviteNeeded)?;
            Some(code.hashed())
        }
    };
    let password_hash = state.hasher.hash(new.password).await?;
    let (account_id, now) = (AccountId::new(), state.clock.now());
    let row = AccountRow {
        account_id,
        username: new.username.as_str().to_owned(),
        password_hash,
        email: new.email,
        phone: new.phone.map(|phone| phone.as_str().to_owned()),
        created_at: now,
    };
    let stored = state
        .db
        .write(move |conn| {
            if let Some(code) = invite
                && !invites::take(conn, code, now)?
            {
                return Err(AuthError::InviteNeeded);
            }
            Ok(accounts::insert(conn, row)?)
        })
        .await;
    match stored {
        Ok(()) => Ok(account_id),
        // The transaction has put the use of the invite back.
        Err(AuthError::Db(DbError::UniqueViolation { .. })) => Err(AuthError::UsernameTaken),
        Err(error) => Err(error),
    }
}

/// Finds the account that has exactly this name, folded.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn find(state: &State, username: &str) -> Result<AccountRow, AuthError> {
    let name = username.to_ascii_lowercase();
    let found = state.db.read(move |conn| accounts::by_username(conn, &name)).await?;
    found.ok_or(AuthError::NoAccount)
}

/// An account as its owner sees it.
pub(crate) struct Profile {
    pub(crate) username: String,
    pub(crate) totp: bool,
}

/// Reads an account for its owner.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn profile(state: &State, account: AccountId) -> Result<Profile, AuthError> {
    let found = state
        .db
        .read(move |conn| Ok::<_, DbError>((accounts::by_id(conn, account)?, totp::find(conn, account)?)))
        .await?;
    let (Some(row), totp) = found else { return Err(AuthError::NoAccount) };
    Ok(Profile { username: row.username, totp: totp.is_some_and(|totp| totp.confirmed_at.is_some()) })
}

/// Tells whether the account exists; a deleted one does not.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn must_exist(state: &State, account: AccountId) -> Result<(), AuthError> {
    let found = state.db.read(move |conn| accounts::by_id(conn, account)).await?;
    found.map(drop).ok_or(AuthError::NoAccount)
}

/// Deletes an account after its owner has shown the password once more: its sessions end, and every service that
/// holds something of it is told. What is left is a tombstone.
///
/// # Errors
/// [`AuthError::BadCredentials`] for a wrong password, [`AuthError::TooManyAttempts`]; [`AuthError::NoAccount`] when it
/// is gone already.
pub(crate) async fn delete(state: &State, account: AccountId, password: Password) -> Result<(), AuthError> {
    passwords::confirm(state, account, password).await?;
    let guesses = [Subject::password(state, account), Subject::code(state, account)];
    let now = state.clock.now();
    let until = now + state.issuer.ttl();
    let event = AccountEvent { account_id: account, at: now, change: AccountChange::Deleted };
    let told = event.clone();
    let deleted = state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?;
            for session in sessions::of_account(conn, account)? {
                super::sessions::end(conn, account, session, until)?;
            }
            let deleted = accounts::delete(conn, account, now)?;
            for subject in guesses {
                subject.forget(conn)?;
            }
            if deleted {
                outbox::push(conn, &[event], now)?;
            }
            Ok::<_, DbError>(deleted)
        })
        .await?;
    if deleted {
        state.announce(&[told]).await;
    }
    Ok(())
}
