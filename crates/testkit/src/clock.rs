//! A clock that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::models::{Clock, SharedClock, UnixMillis};

/// 2026-01-01T00:00:00Z, where a new clock stands.
pub const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// A clock that stands still until it is told otherwise. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// Makes a clock that shows `now`.
    #[must_use]
    pub fn at(now: UnixMillis) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_i64())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, also back.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.as_i64(), Ordering::SeqCst);
    }

    /// Gives the clock to what it drives.
    #[must_use]
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::at(START)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time() {
        let clock = FakeClock::default();
        let shared = clock.shared();

        clock.advance(Duration::from_secs(2));

        assert_eq!(shared.now(), START + Duration::from_secs(2));
    }
}
