//! Credentials that were verified a moment ago, by keyed hashes that only this process holds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::models::UnixMillis;
use service::woosh::WooshSettings;

use crate::domain::turns::Turns;

/// A keyed hash of an account, its stored password hash and a password.
type Key = [u8; 32];

/// What is remembered, until when.
pub(crate) struct Remembered {
    until: Mutex<HashMap<Key, UnixMillis>>,
    /// Of requests that come at once with the same credentials, the first pays for all.
    pub(crate) turns: Turns,
    ttl: Duration,
    most: usize,
}

impl Remembered {
    pub(crate) fn new(settings: &WooshSettings) -> Self {
        Self {
            until: Mutex::default(),
            turns: Turns::default(),
            ttl: settings.credential_ttl,
            most: settings.credentials,
        }
    }

    /// Tells whether it was verified within the time. A clock that was set back remembers nothing for longer.
    pub(crate) fn knows(&self, key: &Key, now: UnixMillis) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(key).is_some_and(|until| *until > now && *until - now <= self.ttl)
    }

    /// Remembers one. When there is no room, what has expired goes, and then everything: a hash more each.
    pub(crate) fn add(&self, key: Key, now: UnixMillis) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= self.most {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= self.most {
            until.clear();
        }
        if self.most > 0 {
            until.insert(key, now + self.ttl);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn remembered(credentials: usize) -> Remembered {
        let credential_ttl = Duration::from_secs(60);
        Remembered::new(&WooshSettings { credential_ttl, credentials, ..WooshSettings::default() })
    }

    #[test]
    fn it_is_remembered_for_its_time_and_no_longer() {
        let remembered = remembered(2);

        remembered.add([1; 32], NOW);

        assert!(remembered.knows(&[1; 32], NOW + Duration::from_secs(59)));
        assert!(!remembered.knows(&[1; 32], NOW + Duration::from_secs(60)));
        assert!(!remembered.knows(&[1; 32], NOW - Duration::from_secs(1)));
        assert!(!remembered.knows(&[2; 32], NOW));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (two, none) = (remembered(2), remembered(0));

        for number in 0..5 {
            two.add([number; 32], NOW);
            none.add([number; 32], NOW);
        }

        let known =
            |remembered: &Remembered| (0..5).filter(|number| remembered.knows(&[*number; 32], NOW)).count();
        assert_eq!((known(&two), known(&none)), (1, 0));
        assert!(two.knows(&[4; 32], NOW), "the newest");
    }
}
