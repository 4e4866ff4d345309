//! What was published, for clients that come back.

use std::sync::Arc;

use common::models::UnixMillis;
use common::models::notify::Place;
use db::{DbConn, DbError};
use serde_json::value::RawValue;

use super::channel_name::ChannelName;
use super::error::NotifyError;
use super::notification::{Notification, Publication};
use crate::settings::NotifySettings;
use crate::store::channels::{self, HeadRow};
use crate::store::history::{self, NotificationRow, PageRequest};

/// A part of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    page: PageRequest,
    /// How many of the latest notifications count.
    size: i64,
}

impl Part {
    /// What comes after an offset, as much as is read at once.
    pub(crate) fn of(settings: &NotifySettings, after: i64, now: UnixMillis) -> Self {
        let page = PageRequest { after, now, limit: settings.page, bytes: settings.page_bytes };
        Self { page, size: i64::from(settings.history_size) }
    }

    /// No more than so many notifications.
    #[must_use]
    pub(crate) fn at_most(mut self, limit: usize) -> Self {
        self.page.limit = self.page.limit.min(limit);
        self
    }
}

/// A part that was read.
#[derive(Debug)]
pub(crate) struct Page {
    /// How far the channel has come.
    pub(crate) head: HeadRow,
    /// In order; without gaps among them.
    pub(crate) publications: Vec<Arc<Publication>>,
}

/// Reads a part of a channel's history, and how far the channel has come; `None` when it has no life. What is beyond the
/// size of the history is not there, even if it is not removed yet.
///
/// # Errors
/// Those of the database.
pub(crate) fn read(
    conn: &mut DbConn,
    channel: &ChannelName,
    part: Part,
) -> Result<Option<Page>, NotifyError> {
    let Some(head) = channels::heads(conn, &[channel])?.pop() else { return Ok(None) };
    let page = PageRequest { after: part.page.after.max(head.last() - part.size), ..part.page };
    let mut rows = history::page(conn, channel, page)?;
    // Those of a time with a shorter life may have gone before earlier ones: up to there nothing is missing.
    let first = rows.first().map_or(0, |row| row.channel_offset);
    let whole = (first..).zip(&rows).take_while(|(offset, row)| *offset == row.channel_offset).count();
    rows.truncate(whole);
    let publications =
        rows.into_iter().map(|row| publication(channel, &head, row)).collect::<Result<_, _>>()?;
    Ok(Some(Page { head, publications }))
}

fn publication(
    channel: &ChannelName,
    head: &HeadRow,
    row: NotificationRow,
) -> Result<Arc<Publication>, NotifyError> {
    let text = String::from_utf8(row.data).map_err(DbError::other)?;
    let notification = Notification {
        channel: channel.clone(),
        id: row.notification_id,
        at: row.published_at,
        data: RawValue::from_string(text).map_err(DbError::other)?,
    };
    Ok(Publication::new(notification, Some(Place { offset: row.channel_offset, epoch: head.epoch })))
}
