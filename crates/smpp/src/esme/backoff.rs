//! How long to wait before the next connection.

use std::time::Duration;

use crate::random::Random;

/// Doubles at each failure up to a limit; each wait is a random part of that, at least half.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
    random: Random,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min, random: Random::from_process() }
    }

    /// The link stood: begin again.
    pub(super) fn reset(&mut self) {
        self.next = self.min;
    }

    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.jittered(self.next);
        self.next = (self.next * 2).min(self.max);
        wait
    }

    /// Spreads ESMEs that lost their SMSC at the same moment.
    pub(super) fn jittered(&mut self, most: Duration) -> Duration {
        self.random.between(most / 2, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_again() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 60 * second);

        for most in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.wait();
            assert!(wait >= most * second / 2 && wait <= most * second, "{wait:?} of {most} s");
        }
        backoff.reset();

        assert!(backoff.wait() <= second);
    }

    #[test]
    fn waits_are_spread_over_their_range_each_time_and_for_each_esme() {
        let second = Duration::from_secs(1);
        let mut one = Backoff::new(second, second);

        let of_one: Vec<Duration> = (0..200).map(|_| one.wait()).collect();
        let first_of_each: Vec<Duration> = (0..200).map(|_| Backoff::new(second, second).wait()).collect();

        for waits in [of_one, first_of_each] {
            let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*least < second * 6 / 10 && *most > second * 9 / 10, "{least:?} to {most:?}");
        }
    }
}
