//! From where a client was to where its channel is: what it missed, in order, and then it is let in, without a gap or a
//! repetition at the seam.

use std::rc::Rc;
use std::sync::Arc;

use common::models::notify::Place;

use super::channel::{Channel, NotYet};
use super::hub::Hub;
use super::inbox::Listener;
use super::joining::Joining;
use super::worker::{Admitted, Seat, Ticket, Worker};
use crate::domain::history::Page;
use crate::domain::{NotifyError, Publication};

/// What a client is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Welcome {
    /// Where the channel stands.
    pub(super) place: Place,
    /// Nothing that the client asked for is missing.
    pub(super) recovered: bool,
}

/// A client on its way into a channel.
pub(super) struct Catching {
    hub: Hub,
    ticket: Ticket,
    /// The last offset that it has got; none: it wants what comes from now on.
    after: Option<i64>,
    /// What was read already, and comes next.
    page: Vec<Arc<Publication>>,
}

/// What comes next on the way.
pub(super) enum Step {
    /// These were missed; more may follow.
    Missed(Vec<Arc<Publication>>, Catching),
    /// Everything up to this place is lost.
    Lost(Place, Catching),
    /// The client is in. These were missed last; what comes from now on is in its inbox.
    In(Seat, Vec<Arc<Publication>>),
}

impl Catching {
    /// Finds out whether everything is there that a client missed.
    pub(super) async fn begin(
        hub: &Hub,
        ticket: Ticket,
        joining: &Joining,
    ) -> Result<(Welcome, Self), NotifyError> {
        let channel = Arc::clone(ticket.entered.channel());
        let mut catching = Self { hub: hub.clone(), ticket, after: joining.offset, page: Vec::new() };
        let Some(place) = channel.last() else {
            return Err(db::DbError::other("a channel was entered and not looked up").into());
        };
        let Some(offset) = joining.offset else { return Ok((Welcome { place, recovered: true }, catching)) };
        let seen = Place { offset, epoch: joining.epoch.unwrap_or(place.epoch) };
        let recovered = seen == place || (offset >= 0 && catching.find(seen).await?);
        if !recovered {
            catching.after = None;
        }
        let outcome = if recovered { "recovered" } else { "lost" };
        hub.metrics().recoveries_total.with_label_values(&[outcome]).inc();
        // It may have moved on, or another process may know more.
        let place = channel.last().unwrap_or(place);
        Ok((
            Welcome {
                place: Place { offset: place.offset.max(catching.after.unwrap_or(0)), ..place },
                recovered,
            },
            catching,
        ))
    }

    /// The channel.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        self.ticket.entered.channel()
    }

    /// Tells whether everything after `seen` is there; what was read of it comes next.
    async fn find(&mut self, seen: Place) -> Result<bool, NotifyError> {
        let channel = Arc::clone(self.ticket.entered.channel());
        if channel.remembers(seen) {
            // Of an offset that is not here yet, the table knows whether it is one.
            return match channel.last() {
                Some(last) if last.offset >= seen.offset => Ok(true),
                _ => self.is_ahead(seen).await,
            };
        }
        let _reader = self.hub.reader(channel.name()).await;
        if channel.remembers(seen) {
            return Ok(true);
        }
        let Some(Page { head, publications: rows }) = self.hub.read(channel.name(), seen.offset).await?
        else {
            return Ok(false);
        };
        let whole = offset(rows.first()) == Some(seen.offset + 1) || head.last() == seen.offset;
        if head.epoch != seen.epoch || !whole {
            return Ok(false);
        }
        channel.remember(&rows, self.hub.keep());
        self.page = rows;
        Ok(true)
    }

    /// Tells whether a channel has come to `seen`, by its table.
    async fn is_ahead(&self, seen: Place) -> Result<bool, NotifyError> {
        let channel = self.ticket.entered.channel();
        let Some(Page { head, .. }) = self.hub.read(channel.name(), seen.offset).await? else {
            return Ok(false);
        };
        let place = Place { offset: head.last(), epoch: head.epoch };
        self.hub.reach(channel.name(), place);
        Ok(head.epoch == seen.epoch && seen.offset <= place.offset)
    }

    /// Goes on. `listener` is where the client gets what comes from now on, once it is in.
    pub(super) async fn next(mut self, listener: &Rc<dyn Listener>) -> Result<Step, NotifyError> {
        loop {
            if !self.page.is_empty() {
                let page = std::mem::take(&mut self.page);
                self.after = offset(page.last());
                self.hub.metrics().replayed_total.inc_by(page.len() as u64);
                return Ok(Step::Missed(page, self));
            }
            let worker = Worker::current(&self.hub);
            let after = self.after;
            self.ticket = match worker.attach(self.ticket, after, listener) {
                Ok(Admitted { seat, missed }) => {
                    self.hub.metrics().replayed_total.inc_by(missed.len() as u64);
                    return Ok(Step::In(seat, missed));
                }
                Err((ticket, NotYet::Unknown)) => {
                    drop(ticket);
                    return Err(db::DbError::other("a channel was entered and not looked up").into());
                }
                Err((ticket, NotYet::Behind)) => ticket,
            };
            let channel = Arc::clone(self.ticket.entered.channel());
            let after = after.unwrap_or(0);
            let reader = self.hub.reader(channel.name()).await;
            let read = self.hub.read(channel.name(), after).await?;
            drop(reader);
            let rows = read.map(|page| page.publications).unwrap_or_default();
            if offset(rows.first()) == Some(after + 1) {
                channel.remember(&rows, self.hub.keep());
                self.page = rows;
            } else if let Some(place) = channel.last() {
                // It went while the client was reading what came before.
                self.after = None;
                return Ok(Step::Lost(place, self));
            }
        }
    }
}

fn offset(publication: Option<&Arc<Publication>>) -> Option<i64> {
    publication.and_then(|publication| publication.place()).map(|place| place.offset)
}
