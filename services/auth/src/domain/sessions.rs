//! Sessions: their rotating refresh tokens, the device they are bound to, their end. They begin in [`login`](super::login).
//!
//! What must hold: a refresh token works once; one that comes again ends its session for everybody who holds a token
//! of it; what has ended is written down for the life of an access token and told to every service.

use common::crypto::secret::Secret;
use common::models::events::{AccountChange, AccountEvent};
use common::models::internal::{SeenDevice, SeenDevices};
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use db::{DbConn, DbError};

use super::{AccountToken, AuthError};
use crate::app::State;
use crate::bound;
use crate::store::rows::{RefreshTokenRow, RevocationRow, SessionRow};
use crate::store::{outbox, revocations, sessions};

/// What a client gets when it logs in, refreshes, or binds a device.
pub(crate) struct Issued {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) access_token: Secret<String>,
    pub(crate) refresh_token: Secret<String>,
    pub(crate) expires_in: u64,
}

/// What the transaction of a refresh found.
enum Refreshed {
    Done { session: SessionId, device: Option<DeviceId> },
    Stolen { event: AccountEvent },
    Unknown,
}

/// Exchanges a refresh token for a new pair. One that was used before ends its session.
///
/// # Errors
/// [`AuthError::BadCredentials`] for an unknown, used or expired token.
pub(crate) async fn refresh(state: &State, token: &str) -> Result<Issued, AuthError> {
    let old = AccountToken::parse(token)?;
    let fresh = AccountToken::generate(old.account)?;
    let (now, refresh_ttl, until) = (state.clock.now(), state.settings.refresh_ttl, state.revoked_until());
    let (account, hash, new_secret) = (old.account, old.secret.hashed(), fresh.clone());
    let refreshed = state
        .db
        .write(move |conn| {
            let Some(known) = sessions::find_token(conn, account, hash)? else {
                return Ok(Refreshed::Unknown);
            };
            // Before its tokens, as everybody has it who ends the session or binds it.
            let Some(session) = sessions::lock(conn, account, known.session_id)? else {
                return Ok(Refreshed::Unknown);
            };
            if !sessions::use_token(conn, account, hash, now)? {
                // It was not used, if a binding has replaced it since it was found.
                let used = sessions::find_token(conn, account, hash)?.is_some();
                let event = if used { revoke(conn, account, session.session_id, now, until)? } else { None };
                return Ok(event.map_or(Refreshed::Unknown, |event| Refreshed::Stolen { event }));
            }
            if session.expires_at <= now {
                return Ok(Refreshed::Unknown);
            }
            sessions::insert_token(conn, token_row(&new_secret, session.session_id))?;
            sessions::extend(conn, account, session.session_id, now + refresh_ttl, now)?;
            Ok::<_, DbError>(Refreshed::Done { session: session.session_id, device: session.device_id })
        })
        .await?;
    match refreshed {
        Refreshed::Done { session, device } => Ok(issued(state, &fresh, session, device, now)),
        Refreshed::Unknown => Err(AuthError::BadCredentials),
        Refreshed::Stolen { event } => {
            tracing::warn!(account.id = %account, "a used refresh token came again; its session was revoked");
            state.metrics.refresh_reuses_total.inc();
            state.announce(&[event]).await;
            Err(AuthError::BadCredentials)
        }
    }
}

/// Ties a session to the device that its account has just registered, and gives tokens that name it. Earlier
/// refresh tokens are forgotten: to use one is an error, but no sign of theft. Binding to the same device again is
/// fine: the caller may not have seen the first answer.
///
/// # Errors
/// [`AuthError::NoSession`] when the session or its account is gone; [`AuthError::BoundElsewhere`].
pub(crate) async fn bind(
    state: &State,
    account: AccountId,
    session: SessionId,
    device: DeviceId,
) -> Result<Issued, AuthError> {
    let now = state.clock.now();
    let token = AccountToken::generate(account)?;
    let fresh = token_row(&token, session);
    state
        .db
        .write(move |conn| {
            let found = sessions::lock(conn, account, session)?.filter(|session| session.expires_at > now);
            match found {
                None => return Err(AuthError::NoSession),
                Some(row) if row.device_id.is_some_and(|bound| bound != device) => {
                    return Err(AuthError::BoundElsewhere);
                }
                Some(_) => {}
            }
            sessions::bind(conn, account, session, device, now)?;
            sessions::delete_tokens(conn, account, session)?;
            sessions::insert_token(conn, fresh)?;
            Ok(())
        })
        .await?;
    bound::tell(&state.live, account);
    Ok(issued(state, &token, session, Some(device), now))
}

/// Lists the sessions of an account that have not expired.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(state: &State, account: AccountId) -> Result<Vec<SessionRow>, AuthError> {
    let now = state.clock.now();
    Ok(state.db.read(move |conn| sessions::live(conn, account, now)).await?)
}

/// Tells on which day the devices of an account last asked for tokens.
///
/// # Errors
/// Those of the database.
pub(crate) async fn seen_devices(state: &State, account: AccountId) -> Result<SeenDevices, AuthError> {
    let now = state.clock.now();
    let seen = state.db.read(move |conn| sessions::seen(conn, account, now)).await?;
    let device = |(device_id, seen_at)| SeenDevice { device_id, seen_at };
    Ok(SeenDevices { devices: seen.into_iter().map(device).collect() })
}

/// Ends one session of an account.
///
/// # Errors
/// [`AuthError::NoSession`] when the account has none of this id (any more).
pub(crate) async fn log_out(state: &State, account: AccountId, session: SessionId) -> Result<(), AuthError> {
    let (now, until) = (state.clock.now(), state.revoked_until());
    let event = state.db.write(move |conn| revoke(conn, account, session, now, until)).await?;
    state.announce(event.as_slice()).await;
    event.map(drop).ok_or(AuthError::NoSession)
}

/// Ends all sessions of an account.
///
/// # Errors
/// Those of the database.
pub(crate) async fn log_out_everywhere(state: &State, account: AccountId) -> Result<(), AuthError> {
    let (now, until) = (state.clock.now(), state.revoked_until());
    let events = state.db.write(move |conn| end_all(conn, account, None, now, until)).await?;
    state.announce(&events).await;
    Ok(())
}

/// Ends all sessions of an account but `kept`, and publishes that; gives what to announce after the commit.
pub(super) fn end_all(
    conn: &mut DbConn,
    account: AccountId,
    kept: Option<SessionId>,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<Vec<AccountEvent>, DbError> {
    let mut sessions = sessions::of_account(conn, account)?;
    sessions.retain(|session| Some(*session) != kept);
    end_these(conn, account, sessions, now, until)
}

/// Ends these sessions of an account, and publishes that; gives what to announce after the commit.
pub(super) fn end_these(
    conn: &mut DbConn,
    account: AccountId,
    sessions: Vec<SessionId>,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<Vec<AccountEvent>, DbError> {
    let mut events = Vec::new();
    for session in sessions {
        events.extend(revoke(conn, account, session, now, until)?);
    }
    Ok(events)
}

/// Ends the session of a device that was removed. One that was not bound to it, since the registration did not come so far,
/// goes on.
///
/// # Errors
/// Those of the database.
pub(crate) async fn end_with_device(
    state: &State,
    account: AccountId,
    device: DeviceId,
    session: SessionId,
) -> Result<(), AuthError> {
    let bound = move |conn: &mut DbConn| {
        let found = sessions::lock(conn, account, session)?;
        Ok(found.filter(|row| row.device_id == Some(device)).map(|_| session).into_iter().collect())
    };
    end_found(state, account, bound).await
}

/// Ends the sessions that were bound to a device before it was removed, at `removed_at`, as far as the clocks of keystore
/// and auth agree: for events of before they named the session.
///
/// # Errors
/// Those of the database.
pub(crate) async fn end_bound(
    state: &State,
    account: AccountId,
    device: DeviceId,
    removed_at: UnixMillis,
) -> Result<(), AuthError> {
    end_found(state, account, move |conn| sessions::bound_before(conn, account, device, removed_at)).await
}

async fn end_found(
    state: &State,
    account: AccountId,
    find: impl FnOnce(&mut DbConn) -> Result<Vec<SessionId>, DbError> + Send + 'static,
) -> Result<(), AuthError> {
    let (now, until) = (state.clock.now(), state.revoked_until());
    let ending = state.db.write(move |conn| {
        let found = find(conn)?;
        end_these(conn, account, found, now, until).map(drop)
    });
    ending.await?;
    // No nudge: whoever removed the device has told all services of that, and they refuse its tokens already.
    state.relay.wake();
    Ok(())
}

/// Ends a session and publishes that. `None` when there was none.
fn revoke(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
    now: UnixMillis,
    until: UnixMillis,
) -> Result<Option<AccountEvent>, DbError> {
    if !end(conn, account, session, until)? {
        return Ok(None);
    }
    let change = AccountChange::SessionRevoked { session_id: session };
    let event = AccountEvent { account_id: account, at: now, change };
    outbox::push(conn, std::slice::from_ref(&event), now)?;
    Ok(Some(event))
}

/// Removes a session and remembers it for as long as an access token of it may live. Tells whether there was one.
pub(super) fn end(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
    until: UnixMillis,
) -> Result<bool, DbError> {
    let ended = sessions::delete(conn, account, session)?;
    if ended {
        revocations::insert(conn, &RevocationRow { account_id: account, session_id: session, until })?;
    }
    Ok(ended)
}

pub(super) fn token_row(token: &AccountToken, session: SessionId) -> RefreshTokenRow {
    RefreshTokenRow {
        account_id: token.account,
        token_hash: token.secret.hashed(),
        session_id: session,
        used_at: None,
    }
}

pub(super) fn issued(
    state: &State,
    token: &AccountToken,
    session: SessionId,
    device: Option<DeviceId>,
    now: UnixMillis,
) -> Issued {
    Issued {
        account: token.account,
        session,
        access_token: state.issuer.issue(token.account, session, device, now),
        refresh_token: token.to_text(),
        expires_in: state.issuer.ttl().as_secs(),
    }
}
