//! Login: a name and a password become a session.

use common::crypto::secret::Secret;
use common::models::SessionId;
use db::DbError;

use super::attempts::Subject;
use super::sessions::{Issued, issued, token_row};
use super::{AuthError, Password, RefreshToken, passwords};
use crate::app::State;
use crate::store::rows::{AccountRow, SessionRow};
use crate::store::{accounts, sessions};

/// Opens a session with a password.
///
/// # Errors
/// [`AuthError::BadCredentials`], after the same work whichever half was wrong; [`AuthError::TooManyAttempts`] after
/// as many wrong ones, whether or not the name exists.
pub(crate) async fn log_in(
    state: &State,
    username: &str,
    password: Secret<String>,
) -> Result<Issued, AuthError> {
    // A name that no account can have is looked for and missed like any other.
    let name = username.to_ascii_lowercase();
    let sought = name.clone();
    let row = state.db.read(move |conn| accounts::by_username(conn, &sought)).await?;
    let subject = match &row {
        Some(row) => Subject::password(state, row.account_id),
        None => Subject::unknown(state, &name),
    };
    let password = Password::try_from(password).map_err(|_| AuthError::BadCredentials)?;
    let stored = row.as_ref().map(|row| row.password_hash.clone());
    let verified = passwords::check(state, subject, stored, password).await?;
    match row.filter(|_| verified) {
        Some(row) => open(state, row).await,
        None => Err(AuthError::BadCredentials),
    }
}

/// Makes the session of an account whose password has been verified.
async fn open(state: &State, verified: AccountRow) -> Result<Issued, AuthError> {
    let (account, now) = (verified.account_id, state.clock.now());
    let session = SessionId::new();
    let token = RefreshToken::generate(account)?;
    let row = SessionRow {
        account_id: account,
        session_id: session,
        device_id: None,
        bound_at: None,
        created_at: now,
        expires_at: now + state.settings.refresh_ttl,
    };
    let fresh = token_row(&token, session);
    let stored = state
        .db
        .write(move |conn| {
            // Deleted while the password was hashed, or changed: then this one opens nothing any more.
            let same = accounts::lock(conn, account)?
                .is_some_and(|account| account.password_hash == verified.password_hash);
            if same {
                sessions::insert(conn, row)?;
                sessions::insert_token(conn, fresh)?;
            }
            Ok::<_, DbError>(same)
        })
        .await?;
    if stored { Ok(issued(state, &token, session, None, now)) } else { Err(AuthError::BadCredentials) }
}
