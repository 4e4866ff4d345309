//! Accounts: made by registration, gone by deletion.

use common::models::events::{AccountChange, AccountEvent};
use common::models::{AccountId, E164};
use db::DbError;

use super::{AuthError, Password, Username};
use crate::app::State;
use crate::settings::Registration;
use crate::store::rows::AccountRow;
use crate::store::{accounts, outbox, sessions};

/// What a person gives to have an account. E-mail and phone are contact data; they identify nobody before they are
/// verified.
pub(crate) struct NewAccount {
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<E164>,
}

/// Makes an account.
///
/// # Errors
/// [`AuthError::RegistrationClosed`] unless the mode is `open`; [`AuthError::UsernameTaken`].
pub(crate) async fn register(state: &State, new: NewAccount) -> Result<AccountId, AuthError> {
    if state.settings.registration != Registration::Open {
        return Err(AuthError::RegistrationClosed);
    }
    let password_hash = state.hasher.hash(new.password).await?;
    let account_id = AccountId::new();
    let row = AccountRow {
        account_id,
        username: new.username.as_str().to_owned(),
        password_hash,
        email: new.email,
        phone: new.phone.map(|phone| phone.as_str().to_owned()),
        created_at: state.clock.now(),
    };
    let stored = state.db.write(move |conn| accounts::insert(conn, row)).await;
    match stored {
        Ok(()) => Ok(account_id),
        Err(DbError::UniqueViolation { .. }) => Err(AuthError::UsernameTaken),
        Err(error) => Err(error.into()),
    }
}

/// Reads an account's name.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn username(state: &State, account: AccountId) -> Result<String, AuthError> {
    let row = state.db.read(move |conn| accounts::by_id(conn, account)).await?;
    row.map(|row| row.username).ok_or(AuthError::NoAccount)
}

/// Tells whether the account exists; a deleted one does not.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn must_exist(state: &State, account: AccountId) -> Result<(), AuthError> {
    username(state, account).await.map(drop)
}

/// Deletes an account after its owner has shown the password once more: its sessions end, and every service that
/// holds something of it is told. What is left is a tombstone.
///
/// # Errors
/// [`AuthError::BadCredentials`] for a wrong password; [`AuthError::NoAccount`] when it is gone already.
pub(crate) async fn delete(state: &State, account: AccountId, password: Password) -> Result<(), AuthError> {
    let row = state.db.read(move |conn| accounts::by_id(conn, account)).await?.ok_or(AuthError::NoAccount)?;
    if !state.hasher.verify(Some(row.password_hash), password).await? {
        return Err(AuthError::BadCredentials);
    }
    let now = state.clock.now();
    let until = now + state.issuer.ttl();
    let event = AccountEvent { account_id: account, at: now, change: AccountChange::Deleted };
    let told = event.clone();
    let deleted = state
        .db
        .write(move |conn| {
            for session in sessions::of_account(conn, account)? {
                super::sessions::end(conn, account, session, until)?;
            }
            let deleted = accounts::delete(conn, account, now)?;
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
