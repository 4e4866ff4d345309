//! Sends the mails that requests have asked for, one after the other, from the table `mails`.
//!
//! A mail is there as soon as the request is answered, and until it has been handed over: a crash in between, on
//! either side, sends it twice at worst. Its token is made when it is sent; no table ever has one in plain. What
//! cannot be sent is tried again, ever less often, and given up after `auth.mail_attempts` tries.

mod letter;
mod signal_server;
mod transport;

use std::time::Duration;

use common::models::UnixMillis;
use db::{Backend, DbError};
use tokio_util::sync::CancellationToken;

use crate::app::State;
use crate::domain::{AccountToken, AuthError};
use crate::store::rows::{MailRow, MailTokenRow, Purpose};
use crate::store::{accounts, mails};
pub(crate) use transport::{Transport, TransportFault};

/// The pause after the first try; doubled after each.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long a pod has a mail to itself, longer than a server that is slow at every step. Clocks that differ by more than this cost a mail that comes twice.
const LEASE: Duration = Duration::from_secs(120);
/// How often the table is looked at when nobody calls.
const PERIOD: Duration = Duration::from_secs(2);

/// Sends what is due until `cancel`.
pub(crate) async fn run(state: State, transport: Transport, cancel: CancellationToken) {
    tracing::info!(to = %transport, "mail");
    // A file of SQLite has one process: what the one before had to itself when it was killed is free.
    if state.db.backend() == Backend::Sqlite {
        let now = state.clock.now();
        if let Err(error) = state.db.write(move |conn| mails::hasten(conn, now)).await {
            tracing::warn!(%error, "mails that a killed process had claimed are sent later");
        }
    }
    let mut timer = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = state.mail_wanted.notified() => {}
            _ = timer.tick() => {}
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            sent = send_due(&state, &transport) => if let Err(error) = sent {
                tracing::warn!(%error, "mails could not be read; trying again");
            }
        }
    }
}

async fn send_due(state: &State, transport: &Transport) -> Result<(), AuthError> {
    loop {
        let now = state.clock.now();
        match state.db.write(move |conn| mails::claim(conn, now, now + LEASE)).await? {
            Some(mail) => deliver(state, transport, mail).await?,
            None => return Ok(()),
        }
    }
}

async fn deliver(state: &State, transport: &Transport, mail: MailRow) -> Result<(), AuthError> {
    let (id, attempts, purpose) = (mail.mail_id, mail.attempts, mail.purpose);
    let most = i32::from(state.settings.mail_attempts);
    let outcome = match prepare(state, mail).await? {
        // Nobody has this address: to whoever asked it looks the same.
        None => "dropped",
        Some(letter) => match transport.send(&letter).await {
            Ok(()) => "sent",
            Err(error) if error.is_final() || attempts >= most => {
                tracing::warn!(mail.id = %id, purpose = purpose.as_str(), %error, "a mail was given up");
                "given-up"
            }
            Err(error) => {
                let again = state.clock.now() + pause(attempts);
                tracing::info!(mail.id = %id, %error, "a mail could not be sent yet");
                state.db.write(move |conn| mails::postpone(conn, id, again)).await?;
                state.metrics.mails_total.with_label_values(&["retried"]).inc();
                return Ok(());
            }
        },
    };
    state.metrics.mails_total.with_label_values(&[outcome]).inc();
    Ok(state.db.write(move |conn| mails::delete(conn, id)).await?)
}

fn pause(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// Makes the tokens of a mail, and the mail; none when there is nobody to send it to.
async fn prepare(state: &State, mail: MailRow) -> Result<Option<letter::Letter>, AuthError> {
    match mail.purpose {
        Purpose::VerifyEmail | Purpose::ResetPassword => for_account(state, mail).await,
        Purpose::ResetSignalServer => signal_server::prepare(state, mail).await,
    }
}

async fn for_account(state: &State, mail: MailRow) -> Result<Option<letter::Letter>, AuthError> {
    let now = state.clock.now();
    let (id, purpose, recipient) = (mail.mail_id, mail.purpose, mail.recipient.clone());
    let account = match mail.account_id {
        Some(account) => Some(account),
        None => {
            let found = state.db.read(move |conn| accounts::by_email(conn, &recipient)).await?;
            found.map(|row| row.account_id)
        }
    };
    let Some(account) = account else { return Ok(None) };
    let token = AccountToken::generate(account)?;
    let row = MailTokenRow {
        account_id: account,
        token_hash: token.secret.hashed(),
        purpose,
        email: mail.recipient.clone(),
        expires_at: expiry(state, purpose, now),
    };
    let stored = state
        .db
        .write(move |conn| {
            // Deleted a moment ago, with its mails; or they are void, as it has another password.
            let wanted = accounts::lock(conn, account)?.is_some() && mails::is_waiting(conn, id)?;
            if wanted {
                mails::insert_token(conn, row)?;
            }
            Ok::<_, DbError>(wanted)
        })
        .await?;
    if !stored {
        return Ok(None);
    }
    let settings = &state.settings;
    Ok(Some(letter::Letter::new(id, mail.recipient, purpose, &token.to_text(), &settings.mail_link)))
}

fn expiry(state: &State, purpose: Purpose, now: UnixMillis) -> UnixMillis {
    now + match purpose {
        Purpose::VerifyEmail => state.settings.email_token_ttl,
        Purpose::ResetPassword | Purpose::ResetSignalServer => state.settings.reset_token_ttl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses = [1, 2, 3, 8, 9, 100].map(|attempts| pause(attempts).as_secs());

        assert_eq!(pauses, [20, 40, 80, 2560, 3600, 3600]);
    }
}
