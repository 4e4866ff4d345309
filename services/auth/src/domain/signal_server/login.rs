//! Login: a name and a password become a token.

use common::crypto::secret::Secret;
use common::models::SessionId;
use db::DbError;

use crate::app::State;
use crate::domain::attempts::Subject;
use crate::domain::blocks::open_session;
use crate::domain::{AuthError, Password, passwords};
use crate::store::rows::SessionRow;
use crate::store::signal_server::UserRow;
use crate::store::{accounts, blocks, signal_server, totp};

/// Opens a session, and gives its one token. A name that nobody has costs as much as a wrong password, and as many
/// guesses; guesses at an account are counted together with those of our own interface.
///
/// An account with a second factor has no place to show it here, so it is refused.
///
/// # Errors
/// [`AuthError::BadCredentials`], whatever was wrong; [`AuthError::TooManyAttempts`], [`AuthError::Busy`].
pub(crate) async fn log_in(
    state: &State,
    username: &str,
    password: Secret<String>,
) -> Result<Secret<String>, AuthError> {
    let name = username.to_owned();
    let found = state.db.read(move |conn| {
        let Some(user) = signal_server::by_username(conn, &name)? else { return Ok(None) };
        let blocked = blocks::is_blocked(conn, user.account_id)?;
        Ok::<_, DbError>(Some((user, blocked)))
    });
    let (found, blocked) = found.await?.unzip();
    let subject = Subject::login(state, username).await?;
    let password = Password::given(password).map_err(|_| AuthError::BadCredentials)?;
    // As by our own interface, no password is that of a blocked account.
    let admitted = found.as_ref().filter(|_| blocked == Some(false));
    let stored = admitted.map(|user| user.password_hash.clone());
    let verified = passwords::check(state, subject, stored, password).await?;
    let user = found.filter(|_| verified).ok_or(AuthError::BadCredentials)?;
    open(state, user).await
}

async fn open(state: &State, user: UserRow) -> Result<Secret<String>, AuthError> {
    let (session, now) = (SessionId::new(), state.clock.now());
    let row = SessionRow {
        account_id: user.account_id,
        session_id: session,
        device_id: None,
        bound_at: None,
        created_at: now,
        expires_at: now + state.issuer.signal_server_ttl(),
        seen_at: now.day(),
    };
    let verified = user.clone();
    let opened = state.db.write(move |conn| {
        let account = verified.account_id;
        // Deleted while the password was hashed, renamed, or changed: then this opens nothing any more.
        let same = accounts::lock(conn, account)?.is_some_and(|account| {
            account.password_hash == verified.password_hash && account.username == verified.username
        });
        if !same || totp::find(conn, account)?.is_some_and(|totp| totp.confirmed_at.is_some()) {
            return Err(AuthError::BadCredentials);
        }
        open_session(conn, row)?;
        Ok(signal_server::insert_session(conn, account, session)?)
    });
    opened.await?;
    Ok(state.issuer.issue_signal_server(user, session, now))
}
