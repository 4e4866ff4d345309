//! How many submissions may go now: a rate, and pauses.

use std::time::{Duration, Instant};

/// Allows `tps` submissions a second, evenly spread, with a burst of a twentieth of a second at most.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Option<Duration>,
    burst: u32,
    /// When the next submission is due by the rate.
    due: Instant,
    paused_until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(tps: Option<f64>, now: Instant) -> Self {
        let tps = tps.filter(|&tps| tps > 0.0 && tps.is_finite());
        let burst = tps.map_or(1, |tps| (tps / 20.0).clamp(1.0, 1e6) as u32);
        Self {
            interval: tps.map(|tps| Duration::from_secs_f64(1.0 / tps)),
            burst,
            due: now,
            paused_until: None,
        }
    }

    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = Some(self.paused_until.map_or(until, |other| other.max(until)));
    }

    /// Gives how many may go now, at most `wanted`.
    pub(super) fn allowance(&mut self, now: Instant, wanted: usize) -> usize {
        if self.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.paused_until = None;
        let Some(interval) = self.interval else { return wanted };
        let Some(saved) = now.checked_duration_since(self.due) else { return 0 };
        let allowed =
            (saved.as_secs_f64() / interval.as_secs_f64()).min(f64::from(self.burst - 1)) as usize + 1;
        allowed.min(wanted)
    }

    /// Notes that `count` go now.
    pub(super) fn spend(&mut self, now: Instant, count: usize) {
        let Some(interval) = self.interval else { return };
        let earliest = now.checked_sub(interval * (self.burst - 1)).unwrap_or(now);
        self.due = self.due.max(earliest) + interval * u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// Gives when the next may go; `None` when it may go now.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = self.paused_until.max(self.interval.map(|_| self.due));
        due.filter(|&due| due > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all it may every millisecond for a second.
    fn sent_in_a_second(mut pace: Pace, start: Instant) -> usize {
        (0..1000)
            .map(|ms| {
                let now = start + Duration::from_millis(ms);
                let count = pace.allowance(now, 1000);
                pace.spend(now, count);
                count
            })
            .sum()
    }

    #[test]
    fn rate_is_kept() {
        let start = Instant::now();

        for tps in [1.0, 7.0, 100.0, 5000.0] {
            let sent = sent_in_a_second(Pace::new(Some(tps), start), start) as f64;
            assert!(sent >= tps * 0.95 && sent <= tps * 1.06 + 1.0, "{sent} of {tps}");
        }
        assert_eq!(Pace::new(None, start).allowance(start, 64), 64);
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(100.0), start);

        assert_eq!(pace.allowance(start + Duration::from_secs(3600), 1000), 5);
    }

    #[test]
    fn nothing_goes_during_a_pause() {
        let start = Instant::now();
        let until = start + Duration::from_secs(1);
        let mut pace = Pace::new(None, start);

        pace.pause(until);
        pace.pause(start);

        assert_eq!((pace.allowance(start, 1), pace.next_due(start)), (0, Some(until)));
        assert_eq!((pace.allowance(until, 1), pace.next_due(until)), (1, None));
    }
}
