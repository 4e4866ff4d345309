//! Whether this process has run without a break. One that stood still (stopped, without a processor, suspended with its
//! host) has answers in its sockets that it has not read, and an hour by the clock may have passed since.

use std::time::Duration;

use common::models::UnixMillis;
use tokio::time::Instant;

/// How often the process notes that it runs.
pub(super) const BEAT: Duration = Duration::from_millis(500);
/// A note that comes so late follows a break.
const BREAK: Duration = Duration::from_secs(1);

/// The last note, and since when there was no break.
#[derive(Debug)]
pub(super) struct Pulse {
    at: Instant,
    clock: UnixMillis,
    sound_since: Instant,
}

impl Pulse {
    pub(super) fn new(at: Instant, clock: UnixMillis) -> Self {
        Self { at, clock, sound_since: at }
    }

    /// Notes that the process runs now; tells for how long it has done so. The clock is looked at as well, since time that a
    /// host was suspended for shows nowhere else.
    pub(super) fn beat(&mut self, at: Instant, clock: UnixMillis) -> Duration {
        let passed = at - self.at;
        let by_clock = Duration::from_millis(clock.0.saturating_sub(self.clock.0).try_into().unwrap_or(0));
        if passed > BEAT + BREAK || by_clock > passed + BREAK {
            let stood_still = passed.max(by_clock);
            tracing::warn!(?stood_still, "this process stood still, or its clock was set");
            self.sound_since = at;
        }
        (self.at, self.clock) = (at, clock);
        at - self.sound_since
    }

    /// Notes that something else kept it from doing its work.
    pub(super) fn interrupt(&mut self, at: Instant) {
        self.sound_since = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets so much time pass, by either clock, and gives how long the process has run without a break.
    fn after(pulse: &mut Pulse, [monotonic, clock]: [i64; 2]) -> u128 {
        let at = pulse.at + Duration::from_millis(monotonic.try_into().unwrap());
        pulse.beat(at, UnixMillis(pulse.clock.0 + clock)).as_millis()
    }

    #[test]
    fn a_process_that_runs_grows_older_and_one_that_stood_still_begins_anew() {
        let mut pulse = Pulse::new(Instant::now(), UnixMillis(1_000));

        let told = [
            // It runs, twice a little late.
            [500, 500],
            [1_400, 1_400],
            [500, 1_500],
            // Stopped for ten seconds.
            [10_500, 10_500],
            [500, 500],
            // Suspended with its host for an hour.
            [500, 3_600_500],
            [500, 500],
            // A clock that is set back brings nothing nearer.
            [500, -60_000],
        ]
        .map(|passed| after(&mut pulse, passed));

        assert_eq!(told, [500, 1_900, 2_400, 0, 500, 0, 500, 1_000]);
        pulse.interrupt(pulse.at);
        assert_eq!(after(&mut pulse, [500, 500]), 500);
    }
}
