//! Linking: a device that is logged in lets another one in, without the password.
//!
//! What must hold: a token opens one session, and nothing after its end, that of the session that asked for it, or a
//! change of the password. If the answer with the new session's tokens is lost, whoever used the token may ask again
//! with the retry key that they chose, and gets fresh tokens of the *same* session, until that has a device: so a crash
//! between commit and answer costs no second scan, and a stranger who sees a used token has nothing.

use common::crypto::token::{HashedToken, PlainToken};
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use db::{DbConn, DbError};

use super::blocks::open_session;
use super::login::Opening;
use super::sessions::Issued;
use super::{AccountToken, AuthError};
use crate::app::State;
use crate::store::rows::{LinkTokenRow, RefreshTokenRow, SessionRow};
use crate::store::{accounts, links, sessions};

/// Makes a token by which another device opens a session of the account. An earlier one of the same session that nobody
/// has used is void.
///
/// # Errors
/// [`AuthError::BadCredentials`] when the session has ended.
pub(crate) async fn issue(
    state: &State,
    account: AccountId,
    session: SessionId,
) -> Result<AccountToken, AuthError> {
    let token = AccountToken::generate(account)?;
    let now = state.clock.now();
    let row = LinkTokenRow {
        account_id: account,
        token_hash: token.id(),
        session_id: session,
        expires_at: now + state.settings.link_token_ttl,
        linked_session_id: None,
        retry_hash: None,
    };
    state
        .db
        .write(move |conn| {
            accounts::lock(conn, account)?.ok_or(AuthError::BadCredentials)?;
            must_live(conn, account, session, now)?.ok_or(AuthError::BadCredentials)?;
            Ok::<_, AuthError>(links::replace(conn, row)?)
        })
        .await?;
    Ok(token)
}

/// Exchanges a token for a session without a device. With a retry key, the same call again gives that session fresh
/// tokens, as long as it has no device.
///
/// # Errors
/// [`AuthError::BadLinkToken`] when it is unknown, used, expired or void: which of them is not told.
pub(crate) async fn exchange(
    state: &State,
    token: &str,
    retry_key: Option<&PlainToken>,
) -> Result<Issued, AuthError> {
    let token = AccountToken::parse(token).map_err(|_| AuthError::BadLinkToken)?;
    let opening = Opening::prepare(state, token.account)?;
    let (row, refresh) = opening.rows();
    let exchange = Exchange {
        token: (token.account, token.id()),
        retry_hash: retry_key.map(PlainToken::hashed),
        now: state.clock.now(),
        remembered_until: state.clock.now() + state.settings.link_token_ttl,
    };
    let session = state.db.write(move |conn| exchange.carry_out(conn, row, refresh)).await?;
    Ok(opening.issued_for(state, session))
}

/// One use of a token, right or wrong.
struct Exchange {
    token: (AccountId, HashedToken),
    retry_hash: Option<HashedToken>,
    now: UnixMillis,
    remembered_until: UnixMillis,
}

impl Exchange {
    /// Gives the session that `refresh` is stored for: the new one, or the one of the first use.
    fn carry_out(
        self,
        conn: &mut DbConn,
        fresh: SessionRow,
        mut refresh: RefreshTokenRow,
    ) -> Result<SessionId, AuthError> {
        let (account, hash) = self.token;
        // A change of the password comes before this or after it, and then ends the new session too.
        accounts::lock(conn, account)?.ok_or(AuthError::BadLinkToken)?;
        let found = links::find(conn, account, hash, self.now)?.ok_or(AuthError::BadLinkToken)?;
        must_live(conn, account, found.session_id, self.now)?.ok_or(AuthError::BadLinkToken)?;
        let session = match found.linked_session_id {
            None => {
                let session = fresh.session_id;
                open_session(conn, fresh)?;
                if !links::take(conn, self.token, session, self.retry_hash, self.remembered_until)? {
                    return Err(AuthError::BadLinkToken);
                }
                session
            }
            Some(linked) => {
                let same_caller = self.retry_hash.is_some() && self.retry_hash == found.retry_hash;
                let unbound = must_live(conn, account, linked, self.now)?
                    .filter(|session| same_caller && session.device_id.is_none());
                let session = unbound.ok_or(AuthError::BadLinkToken)?.session_id;
                sessions::delete_tokens(conn, account, session)?;
                session
            }
        };
        refresh.session_id = session;
        sessions::insert_token(conn, refresh)?;
        Ok(session)
    }
}

fn must_live(
    conn: &mut DbConn,
    account: AccountId,
    session: SessionId,
    now: UnixMillis,
) -> Result<Option<SessionRow>, DbError> {
    Ok(sessions::find(conn, account, session)?.filter(|session| session.expires_at > now))
}

/// A session that a token has opened, once it has a device.
pub(crate) struct Linked {
    pub(crate) session: SessionId,
    pub(crate) device: DeviceId,
}

/// Looks which device a token of the account has brought; `None` while there is none yet.
///
/// # Errors
/// [`AuthError::NoLinkToken`] when there is no such token (any more), or the session that it opened has ended.
pub(crate) async fn linked(
    state: &State,
    account: AccountId,
    id: HashedToken,
) -> Result<Option<Linked>, AuthError> {
    let now = state.clock.now();
    state
        .db
        .read(move |conn| {
            let token = links::find(conn, account, id, now)?.ok_or(AuthError::NoLinkToken)?;
            let Some(session) = token.linked_session_id else { return Ok(None) };
            let session = must_live(conn, account, session, now)?.ok_or(AuthError::NoLinkToken)?;
            Ok(session.device_id.map(|device| Linked { session: session.session_id, device }))
        })
        .await
}
