//! What time alone ends: sessions nobody refreshed, revocations and wrong guesses nobody needs to remember, invites, mails
//! nobody could send, tombstones.

use common::models::UnixMillis;
use common::models::internal::{Revocations, RevokedAccount, RevokedSession};
use db::DbError;
use service::Overdue;

use super::AuthError;
use crate::app::State;
use crate::store::{accounts, overdue, revocations, sessions};

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

/// Removes everything that has expired by now, in bounded batches.
///
/// # Errors
/// Those of the database; what was removed by then stays so.
pub(crate) async fn sweep(state: State) -> Result<(), AuthError> {
    let (settings, now) = (&state.settings, state.clock.now());
    let batch = settings.sweep_batch;
    loop {
        let removing = state.db.write(move |conn| {
            let expired = sessions::expired(conn, now, batch.into())?;
            for (account, session) in &expired {
                sessions::delete(conn, *account, *session)?;
            }
            Ok::<_, DbError>(expired.len())
        });
        if removing.await? < batch as usize {
            break;
        }
    }
    for expired in overdue::EXPIRED {
        prune(&state, expired, now).await?;
    }
    // A session that is not refreshed for so long has ended: whoever comes with an older token gets nothing by it.
    prune(&state, overdue::USED_TOKENS, now - settings.refresh_ttl).await?;
    prune(&state, overdue::MAILS, now - settings.mail_retention).await?;
    if let Some(before) = settings.tombstone_ttl.before(now) {
        prune(&state, overdue::TOMBSTONES, before).await?;
    }
    Ok(())
}

async fn prune(state: &State, rows: Overdue, before: UnixMillis) -> Result<(), DbError> {
    let batch = state.settings.sweep_batch;
    while state.db.write(move |conn| rows.prune(conn, before, batch.into())).await? >= batch as usize {}
    Ok(())
}
