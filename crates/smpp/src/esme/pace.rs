//! How many submissions may go now: the agreed rate, what throttling has left of it, and pauses.
//!
//! In: what was sent, accepted and throttled, each with its time. Out: an allowance, and when it grows. No clock.
//!
//! When the SMSC throttles, the whole bind pauses: for a first time, then twice as long at each further throttling,
//! up to a limit, until a submission is accepted again. Behind the pause the rate goes on at three quarters of what
//! the SMSC had accepted in the second before, and rises evenly from there (additive increase, multiplicative
//! decrease, as TCP does). Three quarters and not half, because SMSCs count per second: what was accepted is nearly
//! the quota itself, not a multiple of it, and each probe for more costs one refused message, not a lost one.
//!
//! What must hold: no second sees more than the agreed rate; the rate never falls so low that nothing goes for ever;
//! when throttling ends, the agreed rate comes back.

mod last_second;
mod spread;

use std::time::{Duration, Instant};

use last_second::{LastSecond, SECOND};
use spread::Spread;

/// What is left of the measured rate after a throttling.
const DECREASE: f64 = 0.75;
/// The agreed rate is back after so many seconds at most: each adds this part of it. Without an agreed rate it is this
/// part of the highest rate that was measured since throttling began.
const STEPS: f64 = 10.0;
/// How often a rising rate is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// No throttling lowers the rate further than this, in submissions a second; an agreed rate may be lower.
const FLOOR: f64 = 1.0;

/// What a pace is told once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PaceLimits {
    /// The agreed rate, in submissions a second; `None` for no limit.
    pub(super) tps: Option<f64>,
    /// The first pause after "throttled" or "queue full".
    pub(super) pause: Duration,
    /// The longest pause.
    pub(super) pause_max: Duration,
    /// Without an agreed rate: how long after the last pause the limit that throttling has set is lifted.
    pub(super) lift_after: Duration,
}

/// The way back to the agreed rate.
#[derive(Debug)]
struct Recovery {
    /// Up to when the rate has been raised.
    raised_at: Instant,
    /// What it gains each second.
    step: f64,
    /// When a limit that nobody agreed on goes.
    lift_at: Instant,
}

#[derive(Debug)]
pub(super) struct Pace {
    limits: PaceLimits,
    /// `None` without a limit.
    spread: Option<Spread>,
    accepted: LastSecond,
    /// The last pause's end, whether it has come or not.
    paused_until: Option<Instant>,
    next_pause: Duration,
    recovery: Option<Recovery>,
    throttled: u64,
    pauses: u64,
}

impl Pace {
    pub(super) fn new(limits: PaceLimits, now: Instant) -> Self {
        let tps = limits.tps.filter(|&tps| tps > 0.0 && tps.is_finite());
        let limits = PaceLimits { tps, ..limits };
        Self {
            limits,
            spread: tps.map(|tps| Spread::new(tps, now)),
            accepted: LastSecond::default(),
            paused_until: None,
            next_pause: limits.pause,
            recovery: None,
            throttled: 0,
            pauses: 0,
        }
    }

    /// Gives the rate that is allowed now, in submissions a second; `None` for no limit.
    pub(super) fn rate(&self) -> Option<f64> {
        self.spread.as_ref().map(Spread::rate)
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// Counts the submissions that were throttled so far.
    pub(super) fn throttled_total(&self) -> u64 {
        self.throttled
    }

    /// Counts the pauses so far.
    pub(super) fn pauses_total(&self) -> u64 {
        self.pauses
    }

    /// Gives how many may go now, at most `wanted`.
    pub(super) fn allowance(&mut self, now: Instant, wanted: usize) -> usize {
        self.recover(now);
        if self.is_paused(now) {
            return 0;
        }
        self.spread.as_mut().map_or(wanted, |spread| spread.allowance(now, wanted))
    }

    /// Notes that `count` go now.
    pub(super) fn spend(&mut self, now: Instant, count: usize) {
        if let Some(spread) = &mut self.spread {
            spread.spend(now, count);
        }
    }

    /// Gives when the next may go; `None` when it may go now.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let paused = self.paused_until.filter(|&until| now < until);
        paused.max(self.spread.as_ref().and_then(|spread| spread.next_due(now)))
    }

    /// Gives when to look at the rate again, which rises by itself; `None` while it is what was agreed.
    pub(super) fn next_rise(&self) -> Option<Instant> {
        self.recovery.as_ref().map(|recovery| recovery.raised_at + LOOK)
    }

    /// Notes that the SMSC accepted a submission.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted.add(now, 1);
        // What is answered during a pause was sent before it.
        if !self.is_paused(now) {
            self.next_pause = self.limits.pause;
        }
    }

    /// Notes that the SMSC throttled a submission, or that its queue is full.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.throttled += 1;
        // One window holds many that are throttled for one reason: they are one event.
        if self.is_paused(now) {
            return;
        }
        self.recover(now);
        let basis = self.measured(now);
        let floor = self.limits.tps.map_or(FLOOR, |tps| tps.min(FLOOR));
        let rate = (basis * DECREASE).max(floor);
        match &mut self.spread {
            Some(spread) => spread.set_rate(rate, now),
            none => *none = Some(Spread::new(rate, now)),
        }
        let resumed_at = now + self.next_pause;
        self.paused_until = Some(resumed_at);
        self.pauses += 1;
        self.next_pause = self.next_pause.saturating_mul(2).min(self.limits.pause_max);
        let known = self.recovery.as_ref().map_or(STEPS, |recovery| recovery.step * STEPS);
        self.recovery = Some(Recovery {
            raised_at: resumed_at,
            step: self.limits.tps.unwrap_or(basis.max(known)) / STEPS,
            lift_at: resumed_at + self.limits.lift_after,
        });
    }

    /// The rate that the SMSC took until now. A second with a pause in it tells too little: then the rate that was
    /// allowed stands for it.
    fn measured(&mut self, now: Instant) -> f64 {
        let measured = f64::from(self.accepted.count(now));
        match self.rate() {
            Some(rate) if self.paused_until.is_some_and(|until| now < until + SECOND) => rate,
            Some(rate) => rate.min(measured),
            None => measured,
        }
    }

    /// Raises the rate by what the time since the last raise is worth: steadily, so that a rare throttling without a
    /// reason costs little.
    fn recover(&mut self, now: Instant) {
        let (Some(recovery), Some(spread)) = (&mut self.recovery, &mut self.spread) else { return };
        if self.limits.tps.is_none() && now >= recovery.lift_at {
            self.spread = None;
            self.recovery = None;
            return;
        }
        let time = now.saturating_duration_since(recovery.raised_at);
        recovery.raised_at += time;
        let rate = spread.rate() + recovery.step * time.as_secs_f64();
        match self.limits.tps {
            Some(tps) if rate >= tps => {
                spread.set_rate(tps, now);
                self.recovery = None;
            }
            _ => spread.set_rate(rate, now),
        }
    }
}

#[cfg(test)]
mod tests;
