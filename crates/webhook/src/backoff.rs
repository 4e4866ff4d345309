//! Pauses between tries.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// Pauses that double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first try.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Backoff {
    /// Gives the pause after so many tries before this one: between half of it and all, so that what failed together does
    /// not come back together.
    pub fn pause(self, tries: i32) -> Duration {
        jitter(self.whole(tries))
    }

    fn whole(self, tries: i32) -> Duration {
        let doublings = u32::try_from(tries).unwrap_or_default().min(16);
        self.first.saturating_mul(2_u32.pow(doublings)).min(self.longest)
    }
}

fn jitter(pause: Duration) -> Duration {
    let mut octets = [0; 2];
    // Without random numbers, the whole pause is as good.
    let part = match SystemRandom::new().fill(&mut octets) {
        Ok(()) => u32::from(u16::from_be_bytes(octets)),
        Err(_) => u32::from(u16::MAX),
    };
    pause / 2 + pause / 2 * part / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(10), longest: Duration::from_secs(1800) };

        let pauses = [-1, 0, 1, 2, 7, 8, 1000].map(|tries| backoff.whole(tries).as_secs());

        assert_eq!(pauses, [10, 10, 20, 40, 1280, 1800, 1800]);
    }

    #[test]
    fn jitter_keeps_half_of_a_pause() {
        let pause = Duration::from_secs(10);

        for _ in 0..100 {
            let some = jitter(pause);
            assert!(some >= pause / 2 && some <= pause, "{some:?}");
        }
    }
}
