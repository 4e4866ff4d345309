//! What sync asks about accounts whose devices synchronize: it has their keys, and knows neither passwords nor numbers.

use std::net::IpAddr;

use common::crypto::secret::Secret;
use common::models::{AccountId, E164};
use db::DbError;
use web::Rule;

use super::attempts::Subject;
use super::{AuthError, Password, passwords};
use crate::app::State;
use crate::store::{accounts, blocks, totp};

/// A password that somebody gives for an account.
pub(crate) struct Claim {
    pub(crate) account: AccountId,
    pub(crate) password: Secret<String>,
    /// Whether the second factor was shown elsewhere.
    pub(crate) second_factor_shown: bool,
    /// What stands for the client when its requests are counted.
    pub(crate) network: IpAddr,
}

/// Tells whether a password is an account's. One that does not exist costs as much as a wrong password, and as many
/// guesses; guesses are counted together with those of logins.
///
/// An account with a second factor that was not shown, or that is blocked, is refused like a wrong password.
///
/// # Errors
/// [`AuthError::TooManyAttempts`], also for an address that asks for too many hashes; [`AuthError::Busy`].
pub(crate) async fn is_right(state: &State, claim: Claim) -> Result<bool, AuthError> {
    let Claim { account, password, second_factor_shown, network } = claim;
    let Ok(password) = Password::given(password) else { return Ok(false) };
    state
        .limits
        .take(Rule::LoginAddress, network)
        .map_err(|limited| AuthError::TooManyAttempts { retry_after: limited.retry_after })?;
    let found = state.db.read(move |conn| {
        let Some(row) = accounts::by_id(conn, account)? else { return Ok(None) };
        let second = totp::find(conn, account)?.is_some_and(|totp| totp.confirmed_at.is_some());
        let blocked = blocks::is_blocked(conn, account)?;
        Ok::<_, DbError>(Some(((!blocked).then_some(row.password_hash), second)))
    });
    let found = found.await?;
    let subject = match &found {
        Some(_) => Subject::password(state, account),
        None => Subject::unknown(state, account.as_str()),
    };
    let may_pass = found.as_ref().is_some_and(|(_, second)| second_factor_shown || !second);
    let verified = passwords::check(state, subject, found.and_then(|(hash, _)| hash), password).await?;
    Ok(verified && may_pass)
}

/// Finds the account that has verified a number.
///
/// # Errors
/// Those of the database.
pub(crate) async fn with_phone(state: &State, phone: E164) -> Result<Option<AccountId>, AuthError> {
    Ok(state.db.read(move |conn| accounts::by_phone(conn, phone.as_str())).await?)
}
