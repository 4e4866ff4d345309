//! Accounts of the interface of Woosh: they show name and password with every request, and keep their keys here.
//!
//! Such an account is an account like any other (it can log in, change its password and be deleted by our own
//! interface), with a row beside it. An account without that row is none here.

mod name;
mod remembered;

use std::net::IpAddr;

use common::crypto::secret::Secret;
use common::models::AccountId;
use db::DbError;
use web::Rule;

pub(crate) use self::name::WooshUsername;
pub(crate) use self::remembered::Remembered;
use super::attempts::Subject;
use super::{AuthError, Password, passwords};
use crate::app::State;
use crate::settings::Registration;
use crate::store::rows::AccountRow;
use crate::store::woosh::{NewWooshRow, WooshRow};
use crate::store::{accounts, blocks, totp, woosh};

/// What a client gives to have an account.
pub(crate) struct NewWooshAccount {
    pub(crate) username: WooshUsername,
    pub(crate) password: Password,
    pub(crate) public_key: String,
    pub(crate) private_key: String,
    pub(crate) info: String,
}

/// An account, as its owner sees it.
pub(crate) struct WooshAccount {
    pub(crate) account: AccountId,
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) public_key: String,
    pub(crate) private_key: String,
    pub(crate) info: String,
}

impl WooshAccount {
    fn new(username: String, row: WooshRow) -> Self {
        // Only text goes in.
        let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
        Self {
            account: row.account_id,
            id: row.woosh_id,
            username,
            public_key: text(row.public_key),
            private_key: text(row.private_key),
            info: text(row.info),
        }
    }
}

/// Makes an account. Nothing in this interface can carry an invite or a verified number.
///
/// # Errors
/// [`AuthError::RegistrationClosed`] unless registration is open, [`AuthError::UsernameTaken`].
pub(crate) async fn register(state: &State, new: NewWooshAccount) -> Result<WooshAccount, AuthError> {
    if state.settings.registration != Registration::Open {
        return Err(AuthError::RegistrationClosed);
    }
    let NewWooshAccount { username, password, public_key, private_key, info } = new;
    super::accounts::refuse_taken(state, username.as_str()).await?;
    let password_hash = state.hasher.hash(password).await?;
    let (account_id, created_at) = (AccountId::new(), state.clock.now());
    let row = AccountRow {
        account_id,
        username: username.as_str().to_owned(),
        password_hash,
        email: None,
        phone: None,
        created_at,
        email_verified_at: None,
        phone_verified_at: None,
    };
    let beside = NewWooshRow {
        account_id,
        public_key: public_key.clone().into(),
        private_key: private_key.clone().into(),
        info: info.clone().into(),
    };
    let stored = state.db.write(move |conn| {
        super::accounts::claim_exactly(conn, &row.username)?;
        accounts::insert(conn, row)?;
        Ok(woosh::insert(conn, beside)?)
    });
    match stored.await {
        Ok(id) => Ok(WooshAccount {
            account: account_id,
            id,
            username: username.as_str().to_owned(),
            public_key,
            private_key,
            info,
        }),
        Err(AuthError::Db(DbError::UniqueViolation { .. })) => Err(AuthError::UsernameTaken),
        Err(error) => Err(error),
    }
}

/// Tells whose name and password these are. What was verified a moment ago is not hashed again.
///
/// An account with a second factor has none to show here, so it is refused, as a blocked one is.
///
/// # Errors
/// [`AuthError::BadCredentials`], after the same work whichever half was wrong; [`AuthError::TooManyAttempts`] after as
/// many wrong ones, and for an address that asks for too many hashes.
pub(crate) async fn authenticate(
    state: &State,
    network: IpAddr,
    username: &str,
    token: Secret<String>,
) -> Result<WooshAccount, AuthError> {
    let outcome = verify(state, network, username, token).await;
    let label = match &outcome {
        Ok((_, label)) => label,
        Err(_) => "refused",
    };
    state.metrics.woosh_credentials_total.with_label_values(&[label]).inc();
    outcome.map(|(account, _)| account)
}

async fn verify(
    state: &State,
    network: IpAddr,
    username: &str,
    token: Secret<String>,
) -> Result<(WooshAccount, &'static str), AuthError> {
    let password = Password::given(token).map_err(|_| AuthError::BadCredentials)?;
    let name = username.to_owned();
    let found = state.db.read(move |conn| {
        let Some(account) = accounts::by_username(conn, &name)? else { return Ok(None) };
        let Some(row) = woosh::find(conn, account.account_id)? else { return Ok(None) };
        let second = totp::find(conn, account.account_id)?.is_some_and(|totp| totp.confirmed_at.is_some());
        let open = !second && !blocks::is_blocked(conn, account.account_id)?;
        Ok::<_, DbError>(open.then_some((account, row)))
    });
    let found = found.await?;
    // The stored hash is part of it: with another password, none of what is remembered fits any more.
    let (owner, hash) = found
        .as_ref()
        .map_or((username, ""), |(account, _)| (account.account_id.as_str(), account.password_hash.as_str()));
    let parts = [owner, hash, password.expose()].map(str::as_bytes);
    let key = state.data_key.mac("verified credentials of Woosh", &parts);
    let _turn = match state.remembered.knows(&key, state.clock.now()) {
        true => None,
        false => state.remembered.turns.of(&key).await,
    };
    if let Some((account, row)) = &found
        && state.remembered.knows(&key, state.clock.now())
    {
        return Ok((WooshAccount::new(account.username.clone(), row.clone()), "remembered"));
    }
    state
        .limits
        .take(Rule::LoginAddress, network)
        .map_err(|limited| AuthError::TooManyAttempts { retry_after: limited.retry_after })?;
    let subject = Subject::login(state, username).await?;
    let stored = found.as_ref().map(|(account, _)| account.password_hash.clone());
    let verified = passwords::check(state, subject, stored, password).await?;
    let (account, row) = found.filter(|_| verified).ok_or(AuthError::BadCredentials)?;
    state.remembered.add(key, state.clock.now());
    Ok((WooshAccount::new(account.username, row), "verified"))
}

/// Finds the account that has exactly this name.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn find(state: &State, username: &str) -> Result<WooshAccount, AuthError> {
    let name = username.to_owned();
    let found = state.db.read(move |conn| {
        let Some(account) = accounts::by_username(conn, &name)? else { return Ok(None) };
        let row = woosh::find(conn, account.account_id)?;
        Ok::<_, DbError>(row.map(|row| WooshAccount::new(account.username, row)))
    });
    found.await?.ok_or(AuthError::NoAccount)
}

/// Replaces what a client has stored of its own.
///
/// # Errors
/// [`AuthError::BadCredentials`] when the account was deleted a moment ago.
pub(crate) async fn set_info(
    state: &State,
    account: WooshAccount,
    info: String,
) -> Result<WooshAccount, AuthError> {
    let (id, stored) = (account.account, info.clone());
    if state.db.write(move |conn| woosh::set_info(conn, id, stored.as_bytes())).await? {
        Ok(WooshAccount { info, ..account })
    } else {
        Err(AuthError::BadCredentials)
    }
}

/// Gives the names of accounts; those that do not exist any more have none.
///
/// # Errors
/// Those of the database.
pub(crate) async fn names(state: &State, ids: Vec<AccountId>) -> Result<Vec<(AccountId, String)>, AuthError> {
    Ok(state.db.read(move |conn| woosh::names(conn, &ids)).await?)
}
