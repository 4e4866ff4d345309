//! The mail by which users of signal_server choose new passwords: many may have given one address, so it has a link for
//! each of them.

use common::models::UnixMillis;
use db::DbError;

use super::expiry;
use super::letter::{Key, Letter};
use crate::app::State;
use crate::domain::{AccountToken, AuthError, signal_server as users};
use crate::store::rows::{MailRow, MailTokenRow};
use crate::store::{accounts, mails, signal_server};

/// Most users of one mail, the oldest first: whoever registers with somebody else's address takes no place from them.
const MOST: i64 = 10;

/// Makes a token for each user who has the address, and the mail; none when nobody has it.
pub(super) async fn prepare(state: &State, mail: MailRow) -> Result<Option<Letter>, AuthError> {
    let now = state.clock.now();
    let address = mail.recipient.clone();
    let found = state.db.read(move |conn| signal_server::by_email(conn, &address, MOST)).await?;
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    for user in found {
        let token = AccountToken::generate(user.account_id)?;
        rows.push(row(state, &mail, &token, now));
        keys.push(Key { username: user.username, uid: users::uid(user.user_id), token: token.secret });
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let stored = state.db.write(move |conn| {
        for row in rows {
            // Deleted a moment ago: its link leads nowhere.
            if accounts::lock(conn, row.account_id)?.is_some() {
                mails::insert_token(conn, row)?;
            }
        }
        Ok::<_, DbError>(())
    });
    stored.await?;
    Ok(Some(Letter::with_keys(mail.mail_id, mail.recipient, &keys, &state.reset_link)))
}

fn row(state: &State, mail: &MailRow, token: &AccountToken, now: UnixMillis) -> MailTokenRow {
    MailTokenRow {
        account_id: token.account,
        token_hash: token.secret.hashed(),
        purpose: mail.purpose,
        email: mail.recipient.clone(),
        expires_at: expiry(state, mail.purpose, now),
    }
}
