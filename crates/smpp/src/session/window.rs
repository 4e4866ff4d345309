//! The slots of a session: which requests wait for a response, since when, under which sequence number.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A request that has no response after so many times the patience for one is forgotten by the peer.
const FORGOTTEN_AFTER: u32 = 6;
/// The last sequence number (SMPP 3.4 §3.2); after it comes 1.
const LAST_SEQUENCE: u32 = 0x7FFF_FFFF;

/// A request of the owner, by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Submit { token: u64 },
    Query { token: u64 },
}

/// A request that has got its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) token: u64,
    /// It had been given up before.
    pub(super) late: bool,
    /// When it was sent.
    pub(super) since: Instant,
}

#[derive(Debug)]
struct Slot {
    request: Request,
    since: Instant,
    /// `None` once it has passed.
    deadline: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    timeout: Duration,
    slots: HashMap<u32, Slot>,
    /// Slots whose deadline has passed.
    overdue: usize,
    /// Set while every slot is overdue: when that is enough.
    stuck_at: Option<Instant>,
    last_sequence: u32,
}

impl Window {
    pub(super) fn new(limit: usize, timeout: Duration) -> Self {
        Self { limit, timeout, slots: HashMap::new(), overdue: 0, stuck_at: None, last_sequence: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.slots.len())
    }

    /// No request still has a chance to be answered in time.
    pub(super) fn nothing_awaited(&self) -> bool {
        self.slots.len() == self.overdue
    }

    /// Gives a number that no open slot has.
    pub(super) fn next_sequence(&mut self) -> u32 {
        loop {
            self.last_sequence = if self.last_sequence >= LAST_SEQUENCE { 1 } else { self.last_sequence + 1 };
            if !self.slots.contains_key(&self.last_sequence) {
                return self.last_sequence;
            }
        }
    }

    /// Takes a slot; `None` when there is none.
    pub(super) fn open(&mut self, request: Request, now: Instant) -> Option<u32> {
        if self.room() == 0 {
            return None;
        }
        let sequence = self.next_sequence();
        self.slots.insert(sequence, Slot { request, since: now, deadline: Some(now + self.timeout) });
        Some(sequence)
    }

    /// Frees the slot of a submission; `None` when that number is no open submission's.
    pub(super) fn answer_submit(&mut self, sequence: u32) -> Option<Answered> {
        match self.slots.get(&sequence)?.request {
            Request::Submit { token } => self.free(sequence, token),
            Request::Query { .. } => None,
        }
    }

    /// Frees the slot of a query; `None` when that number is no open query's.
    pub(super) fn answer_query(&mut self, sequence: u32) -> Option<Answered> {
        match self.slots.get(&sequence)?.request {
            Request::Query { token } => self.free(sequence, token),
            Request::Submit { .. } => None,
        }
    }

    fn free(&mut self, sequence: u32, token: u64) -> Option<Answered> {
        let Slot { since, deadline, .. } = self.slots.remove(&sequence)?;
        let late = deadline.is_none();
        if late {
            self.overdue -= 1;
        }
        self.stuck_at = None;
        Some(Answered { token, late, since })
    }

    /// Tells `report` of every request whose deadline has just passed, in the order of deadlines. Its slot stays taken.
    pub(super) fn expire(&mut self, now: Instant, mut report: impl FnMut(Request)) {
        let mut passed: Vec<(Instant, u32)> = self
            .slots
            .iter()
            .filter_map(|(&sequence, slot)| slot.deadline.filter(|&at| now >= at).map(|at| (at, sequence)))
            .collect();
        passed.sort_unstable();
        for (_, sequence) in passed {
            if let Some(slot) = self.slots.get_mut(&sequence) {
                slot.deadline = None;
                self.overdue += 1;
                report(slot.request);
            }
        }
        if self.overdue == self.limit && self.stuck_at.is_none() {
            self.stuck_at = Some(now + self.timeout);
        }
    }

    /// Tells whether every slot has been overdue for one more timeout: the peer has forgotten them all, and only a
    /// new session gives the slots back.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_at.is_some_and(|at| now >= at)
    }

    /// Gives the time from which on half of the window is taken by requests that the peer has forgotten; `None` when it is
    /// not. A peer that loses one response in ten thousand makes the window narrower with each, and is never stuck.
    pub(super) fn worn_at(&self) -> Option<Instant> {
        let half = self.limit.div_ceil(2);
        if self.overdue < half {
            return None;
        }
        let overdue = self.slots.values().filter(|slot| slot.deadline.is_none());
        let mut since: Vec<Instant> = overdue.map(|slot| slot.since).collect();
        since.sort_unstable();
        since.get(half - 1).map(|since| *since + self.timeout * FORGOTTEN_AFTER)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.slots.values().filter_map(|slot| slot.deadline).min()
    }

    /// Gives the time from which on [`Window::is_stuck`] holds.
    pub(super) fn stuck_at(&self) -> Option<Instant> {
        self.stuck_at
    }

    /// Empties every slot, in the order of sequence numbers; tells too whether the deadline had passed.
    pub(super) fn drain(&mut self) -> Vec<(u32, Request, bool)> {
        let mut slots: Vec<_> = self
            .slots
            .drain()
            .map(|(sequence, slot)| (sequence, slot.request, slot.deadline.is_none()))
            .collect();
        slots.sort_unstable_by_key(|&(sequence, ..)| sequence);
        self.overdue = 0;
        self.stuck_at = None;
        slots
    }

    #[cfg(test)]
    pub(super) fn continue_after(&mut self, sequence: u32) {
        self.last_sequence = sequence;
    }
}
