//! The limits of the original: so many calls in any stretch of time, by address or account.
//!
//! Each call that was let through is remembered until its time is over, so the window slides exactly. It is this
//! process alone that counts, and it forgets with it; what must hold across pods is counted elsewhere.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::mem;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::models::{AccountId, SharedClock, UnixMillis};
use serde::{Deserialize, Deserializer};

use super::SignalServerSettings;

/// Keys held in each half of a window's table.
const HALF: usize = 32 * 1024;

/// So many calls in any stretch of so much time: `{ calls = 3, per = "1h" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many, 1 or more.
    #[serde(deserialize_with = "positive")]
    pub calls: u32,
    /// In which time.
    #[serde(with = "humantime_serde")]
    pub per: Duration,
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(deserializer).map(NonZeroU32::get)
}

/// Too many calls came before; how long until one is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub Duration);

/// The three limits. All services of a process share one of these.
pub struct Throttles {
    enabled: bool,
    clock: SharedClock,
    anonymous: Window<IpAddr>,
    accounts: Window<AccountId>,
    bundles: Window<AccountId>,
}

impl Throttles {
    pub(crate) fn new(settings: &SignalServerSettings, clock: SharedClock) -> Self {
        Self {
            enabled: settings.throttles,
            clock,
            anonymous: Window::new(settings.anonymous_rate),
            accounts: Window::new(settings.account_rate),
            bundles: Window::new(settings.bundle_rate),
        }
    }

    /// Counts a call without a token.
    ///
    /// # Errors
    /// [`Throttled`]; such a call does not count.
    pub fn anonymous(&self, network: IpAddr) -> Result<(), Throttled> {
        self.take(&self.anonymous, network)
    }

    /// Counts a call with a token.
    ///
    /// # Errors
    /// [`Throttled`]; such a call does not count.
    pub fn account(&self, account: AccountId) -> Result<(), Throttled> {
        self.take(&self.accounts, account)
    }

    /// Counts the fetch of a prekey bundle, in addition to the call.
    ///
    /// # Errors
    /// [`Throttled`]; such a fetch does not count.
    pub fn bundle(&self, account: AccountId) -> Result<(), Throttled> {
        self.take(&self.bundles, account)
    }

    fn take<K: Eq + Hash>(&self, window: &Window<K>, key: K) -> Result<(), Throttled> {
        if self.enabled { window.take(key, self.clock.now()).map_err(Throttled) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Throttles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttles").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// When the calls of a key were, the oldest first.
type Calls = VecDeque<UnixMillis>;

/// One limit. Two halves bound the memory: a full one becomes the old one, and what was not used since its turn is
/// dropped with it.
struct Window<K> {
    rate: Rate,
    halves: Mutex<[HashMap<K, Calls>; 2]>,
}

impl<K: Eq + Hash> Window<K> {
    fn new(rate: Rate) -> Self {
        Self { rate, halves: Mutex::new([HashMap::new(), HashMap::new()]) }
    }

    fn take(&self, key: K, now: UnixMillis) -> Result<(), Duration> {
        let Rate { calls: most, per } = self.rate;
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let [fresh, old] = &mut *halves;
        if fresh.len() >= HALF && !fresh.contains_key(&key) {
            *old = mem::take(fresh);
        }
        let known = old.remove(&key);
        let calls = fresh.entry(key).or_insert_with(|| known.unwrap_or_default());
        // A clock that was set back makes nobody wait for longer than a window.
        if calls.back().is_some_and(|last| *last > now) {
            calls.iter_mut().for_each(|call| *call = now.min(*call));
        }
        while calls.front().is_some_and(|call| *call + per <= now) {
            calls.pop_front();
        }
        match calls.front() {
            Some(first) if calls.len() >= most as usize => Err(*first + per - now),
            _ => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const RATE: Rate = Rate { calls: 3, per: Duration::from_secs(3600) };

    #[test]
    fn a_window_slides_and_what_is_refused_does_not_count() {
        let window = Window::new(RATE);
        let at = |seconds: u64| window.take("alice", NOW + Duration::from_secs(seconds));

        assert_eq!([at(0), at(600), at(1200)], [Ok(()); 3]);
        assert_eq!(at(1200), Err(Duration::from_secs(2400)));
        assert_eq!(at(3599), Err(Duration::from_secs(1)));
        assert_eq!([at(3600), at(3600)], [Ok(()), Err(Duration::from_secs(600))]);
        assert_eq!(window.take("bob", NOW), Ok(()), "another key");
    }

    #[test]
    fn a_clock_that_was_set_back_costs_one_window_at_most() {
        let window = Window::new(RATE);
        for _ in 0..3 {
            window.take("alice", NOW + Duration::from_secs(86_400)).unwrap();
        }

        assert_eq!(window.take("alice", NOW), Err(RATE.per));
        assert_eq!(window.take("alice", NOW + RATE.per), Ok(()));
    }

    #[test]
    fn the_table_is_bounded_and_a_key_that_is_used_stays() {
        let window = Window::new(RATE);
        for number in 0..5 * HALF {
            window.take(number, NOW).unwrap();
            let _ = window.take(usize::MAX, NOW);
        }

        let held: usize = window.halves.lock().unwrap().iter().map(HashMap::len).sum();
        assert!(held <= 2 * HALF + 2, "{held}");
        assert!(window.take(usize::MAX, NOW).is_err());
    }

    #[test]
    fn a_rate_is_written_as_calls_and_time() {
        let rate = |text: &str| serde_json::from_str::<Rate>(text).ok();

        assert_eq!(rate(r#"{"calls": 3, "per": "1h"}"#), Some(RATE));
        assert_eq!(rate(r#"{"calls": 0, "per": "1h"}"#), None);
    }
}
