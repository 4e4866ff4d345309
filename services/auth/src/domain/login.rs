//! Login: a name and a password become a session, by way of the second factor where there is one.

use common::crypto::secret::Secret;
use common::models::{AccountId, SessionId, UnixMillis};
use db::DbError;

use super::attempts::Subject;
use super::blocks::open_session;
use super::sessions::{Issued, issued, token_row};
use super::{AccountToken, AuthError, Password, passwords};
use crate::app::State;
use crate::store::rows::{AccountRow, ChallengeRow, RefreshTokenRow, SessionRow};
use crate::store::{accounts, blocks, sessions, totp};

/// Opens a session with a password. The name is a username, or an e-mail address that was verified.
///
/// # Errors
/// [`AuthError::BadCredentials`], after the same work whichever half was wrong; [`AuthError::TooManyAttempts`] after
/// as many wrong ones, whether or not the name exists; [`AuthError::TotpRequired`] with what [`complete`] takes.
pub(crate) async fn log_in(
    state: &State,
    username: &str,
    password: Secret<String>,
) -> Result<Issued, AuthError> {
    // A name that no account can have is looked for and missed like any other.
    let (written, folded) = (username.to_owned(), username.to_ascii_lowercase());
    let found = state.db.read(move |conn| {
        let found = match folded.contains('@') {
            // No username has an @ in it.
            true => accounts::by_email(conn, &folded)?,
            false => accounts::by_name(conn, &written)?,
        };
        let blocked = match &found {
            Some(row) => blocks::is_blocked(conn, row.account_id)?,
            None => false,
        };
        Ok::<_, DbError>((found, blocked))
    });
    let (row, blocked) = found.await?;
    let subject = Subject::login(state, username).await?;
    let password = Password::given(password).map_err(|_| AuthError::BadCredentials)?;
    // No password is that of a blocked account, so that nobody learns of a block by trying.
    let stored = row.as_ref().filter(|_| !blocked).map(|row| row.password_hash.clone());
    let verified = passwords::check(state, subject, stored, password).await?;
    match row.filter(|_| verified) {
        Some(row) => open(state, row).await,
        None => Err(AuthError::BadCredentials),
    }
}

/// Opens the session of an account whose password has been verified, or has it wait for the second factor.
async fn open(state: &State, verified: AccountRow) -> Result<Issued, AuthError> {
    let account = verified.account_id;
    let opening = Opening::prepare(state, account)?;
    let waiting = AccountToken::generate(account)?;
    let challenge = ChallengeRow {
        account_id: account,
        token_hash: waiting.secret.hashed(),
        expires_at: state.clock.now() + state.settings.challenge_ttl,
    };
    let (row, token) = opening.rows();
    let outcome = state
        .db
        .write(move |conn| {
            // Deleted while the password was hashed, or changed: then this one opens nothing any more.
            let same = accounts::lock(conn, account)?
                .is_some_and(|account| account.password_hash == verified.password_hash);
            if !same {
                return Err(AuthError::BadCredentials);
            }
            if totp::find(conn, account)?.is_some_and(|totp| totp.confirmed_at.is_some()) {
                totp::insert_challenge(conn, challenge)?;
                return Ok(Verified::Waits);
            }
            open_session(conn, row)?;
            sessions::insert_token(conn, token)?;
            Ok(Verified::Opened)
        })
        .await?;
    match outcome {
        Verified::Opened => Ok(opening.issued(state)),
        Verified::Waits => Err(AuthError::TotpRequired { challenge: waiting.to_text() }),
    }
}

/// What a right password has led to.
enum Verified {
    Opened,
    Waits,
}

/// Completes a login that waits, with a code of the second factor or a recovery code.
///
/// # Errors
/// [`AuthError::BadCredentials`] when no such login waits; [`AuthError::WrongCode`], after which it still does;
/// [`AuthError::TooManyAttempts`].
pub(crate) async fn complete(state: &State, challenge: &str, code: &str) -> Result<Issued, AuthError> {
    let challenge = AccountToken::parse(challenge)?;
    let (account, hash, now) = (challenge.account, challenge.secret.hashed(), state.clock.now());
    // Without a login that waits nobody gets to guess: the counter is for those who have the password.
    if !state.db.read(move |conn| totp::has_challenge(conn, account, hash, now)).await? {
        return Err(AuthError::BadCredentials);
    }
    let opening = Opening::prepare(state, account)?;
    let (row, token) = opening.rows();
    let completed = super::totp::answer(state, account, code, move |conn| {
        if !totp::take_challenge(conn, account, hash, now)? {
            return Err(AuthError::BadCredentials);
        }
        open_session(conn, row)?;
        Ok(sessions::insert_token(conn, token)?)
    });
    match completed.await {
        Ok(()) => Ok(opening.issued(state)),
        // Turned off or deleted meanwhile: the login begins anew then, if at all.
        Err(AuthError::TotpNotBegun | AuthError::NoAccount) => Err(AuthError::BadCredentials),
        Err(error) => Err(error),
    }
}

/// A session that is about to be opened.
pub(super) struct Opening {
    session: SessionId,
    token: AccountToken,
    opened_at: UnixMillis,
    expires_at: UnixMillis,
}

impl Opening {
    pub(super) fn prepare(state: &State, account: AccountId) -> Result<Self, AuthError> {
        let now = state.clock.now();
        Ok(Self {
            session: SessionId::new(),
            token: AccountToken::generate(account)?,
            opened_at: now,
            expires_at: now + state.settings.refresh_ttl,
        })
    }

    pub(super) fn rows(&self) -> (SessionRow, RefreshTokenRow) {
        let row = SessionRow {
            account_id: self.token.account,
            session_id: self.session,
            device_id: None,
            bound_at: None,
            created_at: self.opened_at,
            expires_at: self.expires_at,
            seen_at: self.opened_at.day(),
        };
        (row, token_row(&self.token, self.session))
    }

    fn issued(&self, state: &State) -> Issued {
        self.issued_for(state, self.session)
    }

    /// Gives the tokens to a session that was opened before, and for which the refresh token was stored.
    pub(super) fn issued_for(&self, state: &State, session: SessionId) -> Issued {
        issued(state, &self.token, session, None, self.opened_at)
    }
}
