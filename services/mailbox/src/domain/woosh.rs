//! Messages of Woosh: an inbox for each account, apart from the mailboxes of devices.
//!
//! What must hold: nothing is removed on request before a poll has shown it. A page is the oldest messages that wait,
//! and numbers ascend within an inbox, so one number tells what was shown.

use std::collections::HashSet;

use common::models::{AccountId, UnixMillis};
use db::DbError;

use super::error::MailboxError;
use crate::app::State;
use crate::store::mailboxes;
use crate::store::woosh::{self, MessageRow, NewMessageRow};

/// Messages of one page, by the contract.
const PAGE: i64 = 100;

/// A message that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) from: AccountId,
    pub(crate) contents: String,
    pub(crate) sent_at: UnixMillis,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.message_id,
            from: row.from_account,
            // Only text goes in.
            contents: String::from_utf8_lossy(&row.contents).into_owned(),
            sent_at: row.sent_at,
        }
    }
}

/// Stores a message. It is on disk when this returns.
///
/// # Errors
/// [`MailboxError::NotFound`] when the recipient was deleted, [`MailboxError::Full`], those of the database.
pub(crate) async fn send(
    state: &State,
    from: AccountId,
    to: AccountId,
    contents: String,
) -> Result<Message, MailboxError> {
    let sent_at = state.clock.now();
    let content_bytes = i32::try_from(contents.len()).map_err(DbError::other)?;
    let row = NewMessageRow {
        account_id: to,
        from_account: from,
        contents: contents.clone().into_bytes(),
        content_bytes,
        sent_at,
    };
    let most = i64::from(state.settings.max_envelopes);
    let most_bytes = i64::try_from(state.settings.max_bytes).unwrap_or(i64::MAX);
    let stored = state.db.write(move |conn| {
        // Before the number is drawn: sends to one inbox commit in the order of their numbers.
        mailboxes::take_turn(conn, to)?;
        if mailboxes::is_account_buried(conn, to)? {
            return Err(MailboxError::NotFound);
        }
        let inbox = woosh::grow(conn, to, content_bytes.into())?;
        if inbox.message_count > most || inbox.byte_count > most_bytes {
            return Err(MailboxError::Full { devices: Vec::new() });
        }
        Ok(woosh::insert(conn, row)?)
    });
    let id = stored.await?;
    state.metrics.woosh_messages_total.with_label_values(&["stored"]).inc();
    Ok(Message { id, from, contents, sent_at })
}

/// The oldest messages that wait, in their order, and what to call when they go out.
pub(crate) struct Page {
    account: AccountId,
    pub(crate) messages: Vec<Message>,
    shown_id: i64,
}

/// Reads a page.
///
/// # Errors
/// Those of the database.
pub(crate) async fn page(state: &State, account: AccountId) -> Result<Page, MailboxError> {
    let found = state.db.read(move |conn| {
        let shown = woosh::inbox(conn, account)?.map_or(0, |inbox| inbox.shown_id);
        Ok::<_, DbError>((shown, woosh::oldest(conn, account, PAGE)?))
    });
    let (shown_id, rows) = found.await?;
    Ok(Page { account, messages: rows.into_iter().map(Message::from).collect(), shown_id })
}

impl Page {
    /// Everybody who has sent something of it, once.
    pub(crate) fn senders(&self) -> Vec<AccountId> {
        let senders: HashSet<AccountId> = self.messages.iter().map(|message| message.from).collect();
        senders.into_iter().collect()
    }

    /// Notes that it is shown, as the last thing before it goes out: what was read for an answer that failed stays.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn note_shown(&self, state: &State) -> Result<(), MailboxError> {
        let account = self.account;
        match self.messages.last() {
            Some(newest) if newest.id > self.shown_id => {
                let id = newest.id;
                Ok(state.db.write(move |conn| woosh::note_shown(conn, account, id)).await?)
            }
            _ => Ok(()),
        }
    }
}

/// Removes what was sent before `before` and shown by a poll; returns how many.
///
/// # Errors
/// Those of the database.
pub(crate) async fn remove(
    state: &State,
    account: AccountId,
    before: UnixMillis,
) -> Result<i64, MailboxError> {
    let removed = state.db.write(move |conn| match woosh::lock(conn, account)? {
        Some(inbox) => woosh::remove(conn, account, inbox.shown_id, before),
        None => Ok::<_, DbError>(0),
    });
    let removed = removed.await?;
    count(state, "removed", removed);
    Ok(removed)
}

/// Removes what nobody fetched in time, an inbox at a time.
///
/// # Errors
/// Those of the database.
pub(super) async fn expire(state: &State, before: UnixMillis) -> Result<(), MailboxError> {
    while let Some(account) = state.db.read(move |conn| woosh::with_old(conn, before)).await? {
        let removed = state.db.write(move |conn| match woosh::lock(conn, account)? {
            Some(_) => woosh::remove(conn, account, i64::MAX, before),
            None => Ok::<_, DbError>(0),
        });
        count(state, "expired", removed.await?);
    }
    Ok(())
}

fn count(state: &State, outcome: &str, messages: i64) {
    let series = state.metrics.woosh_messages_total.with_label_values(&[outcome]);
    series.inc_by(u64::try_from(messages).unwrap_or_default());
}
