//! What follows the commit of statuses: the relay and waiting readers are woken, lines are logged, series counted.

use bus::outbox::Relay;
use common::models::sms::SmsStatus;
use tokio::sync::watch;

use super::client_log::ClientLog;
use crate::metrics::Metrics;
use crate::store::rows::StatusRow;

/// Tells of statuses that have been committed. None of it can change them.
pub(crate) struct Announcer {
    relay: Relay,
    readers: watch::Sender<u64>,
    log: Option<ClientLog>,
    metrics: Metrics,
}

impl Announcer {
    /// Makes one.
    pub(crate) fn new(relay: Relay, log: Option<ClientLog>, metrics: Metrics) -> Self {
        Self { relay, readers: watch::Sender::new(0), log, metrics }
    }

    /// Tells of committed statuses.
    pub(crate) fn announce(&self, rows: &[StatusRow]) {
        if rows.is_empty() {
            return;
        }
        self.wake();
        for row in rows {
            self.metrics.statuses_total.with_label_values(&[row.status.as_str()]).inc();
            row.follow("a status is stored, and on its way to the bus");
            if let Some(log) = &self.log {
                log.write(SmsStatus::from(row));
            }
        }
    }

    /// Wakes who waits for what has been committed: the relay, and readers over HTTP.
    pub(crate) fn wake(&self) {
        self.relay.wake();
        self.readers.send_modify(|news| *news = news.wrapping_add(1));
    }

    /// Gives what changes when there are statuses or messages, of any client.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.readers.subscribe()
    }
}
