//! How the loop batches, waits and gives up.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use serde::Deserialize;

/// The loop's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Most records in one call of the handler.
    pub max_batch: usize,
    /// Wait before the first further try; each later one waits twice as long.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// Longest wait before a further try: how much later than its database a service may be back.
    #[serde(with = "humantime_serde")]
    pub max_backoff: Duration,
    /// After this many tries a record that asks for another is dead. None: it is tried for ever.
    pub max_attempts: Option<u32>,
    /// After so many panics of the handler in a row, the last ones with it alone, a record is dead. Between them are the
    /// waits of all further tries, so that a fault that is not the record's own has time to pass.
    pub max_panics: u32,
    /// Where dead letters go. None: the record's topic with `-dead` behind it.
    pub dead_letter_topic: Option<String>,
    /// How long a stored offset may wait for its commit: what may be delivered again after a crash.
    #[serde(with = "humantime_serde")]
    pub commit_interval: Duration,
    /// How often the lag is read for the metrics: a few questions to the brokers each time.
    #[serde(with = "humantime_serde")]
    pub lag_interval: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_batch: 256,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            max_attempts: None,
            max_panics: 8,
            dead_letter_topic: None,
            commit_interval: Duration::from_millis(200),
            lag_interval: Duration::from_secs(15),
        }
    }
}

impl Policy {
    /// The wait after so many failed tries: doubling, capped, and between half and all of that by chance, so that
    /// partitions that failed together do not come back together.
    pub(super) fn backoff(&self, tries: u32) -> Duration {
        let doubled = self.backoff.saturating_mul(1 << tries.saturating_sub(1).min(20));
        let wait = doubled.min(self.max_backoff);
        // Each RandomState has fresh keys, which is chance enough here.
        let chance = RandomState::new().build_hasher().finish() as u32;
        wait / 2 + wait.mul_f64(f64::from(chance) / f64::from(u32::MAX)) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_cap_and_is_spread() {
        let policy = Policy {
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            ..Policy::default()
        };

        for (tries, longest) in
            [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000), (u32::MAX, 1000)]
        {
            let longest = Duration::from_millis(longest);
            let waits: Vec<Duration> = (0..50).map(|_| policy.backoff(tries)).collect();
            assert!(waits.iter().all(|wait| (longest / 2..=longest).contains(wait)), "{tries}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{tries}: no spread");
        }
    }
}
