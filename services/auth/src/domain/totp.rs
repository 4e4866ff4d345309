//! The second factor: enrolled with the password, confirmed with a first code, asked for at each login from then on.
//!
//! What must hold: a code and a recovery code let somebody in once; the secret is sealed in its table, and shown once;
//! wrong codes are counted like wrong passwords.

mod code;
mod recovery;

use common::crypto::secret::Secret;
use common::crypto::token::HashedToken;
use common::models::AccountId;
use db::DbConn;
use url::form_urlencoded::byte_serialize;

use super::attempts::{self, Subject};
use super::{AuthError, Password, passwords};
use crate::app::State;
use crate::store::rows::TotpRow;
use crate::store::{accounts, totp};
use code::TotpSecret;
use recovery::RecoveryCode;

/// What secrets are sealed for.
const PURPOSE: &str = "totp secret";

/// A secret on its way to its owner's authenticator.
pub(crate) struct Enrolment {
    pub(crate) secret: Secret<String>,
    pub(crate) uri: Secret<String>,
}

/// Makes a secret that counts once it is confirmed. An earlier one that was not confirmed is forgotten.
///
/// # Errors
/// Those of [`passwords::confirm`] and [`passwords::lock`]; [`AuthError::TotpActive`].
pub(crate) async fn enrol(
    state: &State,
    account: AccountId,
    password: Password,
) -> Result<Enrolment, AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    let secret = TotpSecret::generate()?;
    let sealed = state.data_key.seal(PURPOSE, account.as_str().as_bytes(), secret.octets())?;
    let begin = state.db.write(move |conn| {
        let row = passwords::lock(conn, &confirmed)?;
        let begun = totp::begin(conn, account, &sealed)?;
        Ok::<_, AuthError>(begun.then_some(row.username))
    });
    let username = begin.await?.ok_or(AuthError::TotpActive)?;
    let text = secret.to_base32();
    let uri = Secret::new(uri(&state.settings.totp_issuer, &username, &text));
    Ok(Enrolment { secret: Secret::new(text.as_str().to_owned()), uri })
}

/// The form that authenticators read as a QR code (the Key URI Format of Google Authenticator).
fn uri(issuer: &str, username: &str, secret: &str) -> String {
    // Some of them take a plus for what it is.
    let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let (issuer, username) = (escaped(issuer), escaped(username));
    format!("otpauth://totp/{issuer}:{username}?secret={secret}&issuer={issuer}")
}

/// Turns the second factor on, since its owner has shown a code of it. Gives the recovery codes.
///
/// # Errors
/// [`AuthError::TotpNotBegun`], [`AuthError::TotpActive`], [`AuthError::WrongCode`], [`AuthError::TooManyAttempts`].
pub(crate) async fn confirm(
    state: &State,
    account: AccountId,
    code: &str,
) -> Result<Vec<Secret<String>>, AuthError> {
    let found = state.db.read(move |conn| totp::find(conn, account)).await?.ok_or(AuthError::TotpNotBegun)?;
    if found.confirmed_at.is_some() {
        return Err(AuthError::TotpActive);
    }
    let now = state.clock.now();
    let guess = Guess::begin(state, account).await?;
    let step = open(state, &found)?.step_of(code, now, found.last_step).ok_or(AuthError::WrongCode)?;
    guess.was_right(state).await?;
    let (texts, hashes) = fresh_recovery_codes()?;
    state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?.ok_or(AuthError::NoAccount)?;
            let same = totp::find(conn, account)?.is_some_and(|row| row.secret == found.secret);
            if !same || !totp::use_step(conn, account, step)? {
                return Err(AuthError::WrongCode);
            }
            totp::confirm(conn, account, now)?;
            Ok(totp::replace_recovery_codes(conn, account, &hashes)?)
        })
        .await?;
    Ok(texts)
}

/// Turns the second factor off.
///
/// # Errors
/// Those of [`passwords::confirm`], [`passwords::lock`] and [`answer`]; [`AuthError::TotpNotBegun`].
pub(crate) async fn disable(
    state: &State,
    account: AccountId,
    password: Password,
    code: &str,
) -> Result<(), AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    let turn_off = move |conn: &mut DbConn| {
        passwords::lock(conn, &confirmed)?;
        Ok::<_, AuthError>(totp::delete(conn, account)?)
    };
    answer(state, account, code, turn_off).await
}

/// Replaces the recovery codes.
///
/// # Errors
/// As [`disable`].
pub(crate) async fn renew_recovery_codes(
    state: &State,
    account: AccountId,
    password: Password,
    code: &str,
) -> Result<Vec<Secret<String>>, AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    let (texts, hashes) = fresh_recovery_codes()?;
    let replace = move |conn: &mut DbConn| {
        passwords::lock(conn, &confirmed)?;
        Ok::<_, AuthError>(totp::replace_recovery_codes(conn, account, &hashes)?)
    };
    answer(state, account, code, replace).await?;
    Ok(texts)
}

/// Uses a code or a recovery code of an active second factor up, and does `then` in the same transaction.
///
/// # Errors
/// [`AuthError::TotpNotBegun`] when there is none, [`AuthError::WrongCode`], [`AuthError::TooManyAttempts`]; those of
/// `then`, with which the code is not used up.
pub(super) async fn answer<T: Send + 'static, E>(
    state: &State,
    account: AccountId,
    code: &str,
    then: impl FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
) -> Result<T, AuthError>
where
    AuthError: From<E>,
{
    let found = state.db.read(move |conn| totp::find(conn, account)).await?;
    let found = found.filter(|row| row.confirmed_at.is_some()).ok_or(AuthError::TotpNotBegun)?;
    let guess = Guess::begin(state, account).await?;
    let step = open(state, &found)?.step_of(code, state.clock.now(), found.last_step);
    let recovery = RecoveryCode::from_typed(code).hashed();
    let done = state
        .db
        .write(move |conn| {
            // First the account, as everywhere: two that want the same rows come in the same order.
            accounts::lock(conn, account)?.ok_or(AuthError::NoAccount)?;
            let right = match step {
                Some(step) => totp::use_step(conn, account, step)?,
                None => totp::use_recovery_code(conn, account, recovery)?,
            };
            if right { Ok(then(conn)?) } else { Err(AuthError::WrongCode) }
        })
        .await?;
    guess.was_right(state).await?;
    Ok(done)
}

fn open(state: &State, row: &TotpRow) -> Result<TotpSecret, AuthError> {
    let secret = state.data_key.open(PURPOSE, row.account_id.as_str().as_bytes(), &row.secret)?;
    Ok(TotpSecret::from_octets(secret))
}

fn fresh_recovery_codes() -> Result<(Vec<Secret<String>>, Vec<HashedToken>), AuthError> {
    let set = RecoveryCode::generate_set()?;
    Ok(set.iter().map(|code| (code.to_text(), code.hashed())).unzip())
}

/// A guess at a code, paid for.
struct Guess(Subject);

impl Guess {
    async fn begin(state: &State, account: AccountId) -> Result<Self, AuthError> {
        let subject = Subject::code(state, account);
        attempts::spend(state, state.settings.totp_attempts, subject).await?;
        Ok(Self(subject))
    }

    async fn was_right(self, state: &State) -> Result<(), AuthError> {
        attempts::put_back(state, state.settings.totp_attempts, self.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_names_issuer_and_account_and_escapes_both() {
        let uri = uri("Our Post & Co", "alice", "GEZDGNBV");

        let expected =
            "otpauth://totp/Our%20Post%20%26%20Co:alice?secret=GEZDGNBV&issuer=Our%20Post%20%26%20Co";
        assert_eq!(uri, expected);
    }
}
