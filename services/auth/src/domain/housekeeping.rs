//! What time alone ends: sessions nobody refreshed, revocations and wrong guesses nobody needs to remember, invites.

use std::time::Duration;

use common::models::internal::{Revocations, RevokedAccount, RevokedSession};
use db::DbError;
use tokio_util::sync::CancellationToken;

use super::AuthError;
use crate::app::State;
use crate::store::{accounts, attempts, invites, links, mails, phones, revocations, sessions, totp};

/// Sessions removed in one transaction.
const BATCH: i64 = 500;

/// How often the tables are looked through.
const PERIOD: Duration = Duration::from_secs(60);

/// Lists everything whose access tokens must be refused though they have not expired.
///
/// # Errors
/// Those of the database.
pub(crate) async fn revoked(state: &State) -> Result<Revocations, AuthError> {
    let (now, ttl) = (state.clock.now(), state.issuer.longest_ttl());
    let (sessions, accounts) = state
        .db
        .read(move |conn| {
            Ok::<_, DbError>((revocations::live(conn, now)?, accounts::deleted_since(conn, now - ttl)?))
        })
        .await?;
    let session = |row: crate::store::rows::RevocationRow| RevokedSession {
        session_id: row.session_id,
        until: row.until,
    };
    let account = |(account_id, deleted_at)| RevokedAccount { account_id, until: deleted_at + ttl };
    Ok(Revocations {
        sessions: sessions.into_iter().map(session).collect(),
        accounts: accounts.into_iter().map(account).collect(),
    })
}

/// Removes what has expired, once a minute, in bounded batches.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        if let Err(error) = sweep(&state).await {
            tracing::warn!(%error, "expired sessions could not be removed; trying again in a minute");
        }
    }
}

/// Removes everything that has expired by now.
pub(crate) async fn sweep(state: &State) -> Result<(), AuthError> {
    let now = state.clock.now();
    loop {
        let removed = state
            .db
            .write(move |conn| {
                let expired = sessions::expired(conn, now, BATCH)?;
                for (account, session) in &expired {
                    sessions::delete(conn, *account, *session)?;
                }
                Ok::<_, DbError>(expired.len())
            })
            .await?;
        if removed == 0 {
            break;
        }
    }
    state
        .db
        .write(move |conn| {
            revocations::prune(conn, now)?;
            invites::prune(conn, now)?;
            links::prune(conn, now)?;
            totp::prune_challenges(conn, now)?;
            mails::prune_tokens(conn, now)?;
            phones::prune(conn, now)?;
            attempts::prune(conn, now)
        })
        .await?;
    Ok(())
}
