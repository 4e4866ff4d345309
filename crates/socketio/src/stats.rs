//! What a server counts. A service reads them when its metrics are asked for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::session::Reason;

/// Gauges and counters of one server since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions that are open now.
    pub sessions: usize,
    /// Those of them on a websocket.
    pub websockets: usize,
    /// Polls that are held now.
    pub polls: usize,
    /// Sessions that were opened.
    pub opened: u64,
    /// Sessions that moved from polling to a websocket.
    pub upgraded: u64,
    /// Messages that came in, attachments counted one by one.
    pub received: u64,
    /// Packets that were left out because the client was not reading, as their senders allowed.
    pub dropped: u64,
    /// Sessions that ended, by the label of their reason ([`Reason::LABELS`]).
    pub ended: Vec<(&'static str, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sessions: AtomicUsize,
    pub(crate) websockets: AtomicUsize,
    pub(crate) polls: AtomicUsize,
    pub(crate) opened: AtomicU64,
    pub(crate) upgraded: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) dropped: AtomicU64,
    ended: [AtomicU64; Reason::LABELS.len()],
}

impl Counters {
    pub(crate) fn ended(&self, reason: Reason) {
        if let Some(count) = self.ended.get(reason.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let ended = Reason::LABELS.iter().zip(&self.ended);
        Stats {
            sessions: self.sessions.load(Ordering::Relaxed),
            websockets: self.websockets.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            upgraded: self.upgraded.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            ended: ended.map(|(label, count)| (*label, count.load(Ordering::Relaxed))).collect(),
        }
    }
}
