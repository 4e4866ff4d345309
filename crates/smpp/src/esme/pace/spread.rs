//! Spreading submissions evenly over each second.

use std::time::{Duration, Instant};

use super::last_second::LastSecond;

/// The lowest rate, in submissions a second: what is less counts as this.
const LEAST: f64 = 0.001;

/// Allows so many submissions a second: evenly spread, with bursts of a twentieth of a second's worth at most, and
/// never more in any one second, bursts included. Parts of one SMS are submissions like others.
#[derive(Debug)]
pub(super) struct Spread {
    rate: f64,
    interval: Duration,
    burst: u32,
    per_second: u32,
    /// When the next submission is due by the rate.
    due: Instant,
    sent: LastSecond,
}

impl Spread {
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        let mut spread = Self {
            rate,
            interval: Duration::ZERO,
            burst: 1,
            per_second: 1,
            due: now,
            sent: LastSecond::default(),
        };
        spread.set_rate(rate, now);
        spread
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) fn set_rate(&mut self, rate: f64, now: Instant) {
        let before = self.rate;
        self.rate = rate.max(LEAST);
        // What is still to be waited for is a number of submissions, not a time.
        if let Some(ahead) = self.due.checked_duration_since(now) {
            self.due = now + ahead.mul_f64(before / self.rate);
        }
        self.interval = Duration::from_secs_f64(1.0 / self.rate);
        self.burst = (self.rate / 20.0).clamp(1.0, 1e6) as u32;
        // Evenly spread, 2.5 a second are 3 in some seconds.
        self.per_second = self.rate.ceil().min(f64::from(u32::MAX)) as u32;
    }

    /// Gives how many may go now, at most `wanted`.
    pub(super) fn allowance(&mut self, now: Instant, wanted: usize) -> usize {
        let Some(saved) = now.checked_duration_since(self.due) else { return 0 };
        let evenly =
            (saved.as_secs_f64() / self.interval.as_secs_f64()).min(f64::from(self.burst - 1)) as usize + 1;
        let left = self.per_second.saturating_sub(self.sent.count(now));
        evenly.min(left as usize).min(wanted)
    }

    /// Notes that `count` go now.
    pub(super) fn spend(&mut self, now: Instant, count: usize) {
        let earliest = now.checked_sub(self.interval * (self.burst - 1)).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval * u32::try_from(count).unwrap_or(u32::MAX);
        self.sent.add(now, count);
    }

    /// Gives when the next may go, after an [`Self::allowance`] for this time; `None` when it may go now.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let full = if self.sent.is_below(self.per_second) { None } else { self.sent.oldest_ends() };
        Some(self.due).max(full).filter(|&due| due > now)
    }
}
