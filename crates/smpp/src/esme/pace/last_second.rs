//! Counting what happened within the last second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which SMSCs count.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// What happens within this time is one entry, which bounds the entries.
const GRAIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
struct Batch {
    first: Instant,
    last: Instant,
    count: u32,
}

/// Events of the last second. A batch counts until its last event is a second old, so never too few are counted.
#[derive(Debug, Default)]
pub(super) struct LastSecond {
    batches: VecDeque<Batch>,
    total: u32,
}

impl LastSecond {
    pub(super) fn add(&mut self, now: Instant, count: usize) {
        self.forget(now);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.total = self.total.saturating_add(count);
        match self.batches.back_mut() {
            Some(batch) if now < batch.first + GRAIN => {
                batch.last = now;
                batch.count = batch.count.saturating_add(count);
            }
            _ => self.batches.push_back(Batch { first: now, last: now, count }),
        }
    }

    pub(super) fn count(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.total
    }

    /// Tells whether fewer counted when it was last asked or told.
    pub(super) fn is_below(&self, limit: u32) -> bool {
        self.total < limit
    }

    /// Gives when the oldest events that still count will no longer.
    pub(super) fn oldest_ends(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.last + SECOND)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(batch) = self.batches.front()
            && now >= batch.last + SECOND
        {
            self.total -= batch.count.min(self.total);
            self.batches.pop_front();
        }
    }
}
