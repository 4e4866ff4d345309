//! The arithmetic of one token bucket, without a table or a clock.

use std::time::Duration;

use common::models::UnixMillis;
use serde::Deserialize;

use super::rules::{positive, positive_duration};

/// How many tokens a bucket has when it is full, and how long one takes to come back.
///
/// The state of a bucket is one number, the time at which it will be full again (the generic cell rate algorithm,
/// ITU-T I.371 Annex A, in its form of a virtual schedule). A time that has passed means: full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Tokens of a full bucket, 1 or more.
    #[serde(deserialize_with = "positive")]
    pub size: u32,
    /// How long one takes to come back, a millisecond or more.
    #[serde(deserialize_with = "positive_duration")]
    pub refill: Duration,
}

impl Bucket {
    /// Takes a token at `now` from a bucket that is full at `full_at`; returns when it is full after that.
    ///
    /// # Errors
    /// How long it takes until there is a token.
    pub fn take(self, full_at: UnixMillis, now: UnixMillis) -> Result<UnixMillis, Duration> {
        // No bucket lacks more than all its tokens, but for a clock that was set back meanwhile.
        let full_at = full_at.clamp(now, now + self.refill.saturating_mul(self.size));
        let rest = full_at - now;
        let spare = self.refill.saturating_mul(self.size.saturating_sub(1));
        match rest.checked_sub(spare) {
            None | Some(Duration::ZERO) => Ok(full_at + self.refill),
            Some(wait) => Err(wait),
        }
    }

    /// Puts a token back that was taken without need; returns when the bucket is full after that.
    pub fn put_back(self, full_at: UnixMillis) -> UnixMillis {
        full_at - self.refill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Bucket = Bucket { size: 3, refill: Duration::from_secs(10) };
    const NOW: UnixMillis = UnixMillis(1_000_000);

    #[test]
    fn a_full_bucket_gives_its_size_at_once_and_then_one_each_refill() {
        let mut full_at = UnixMillis(0);
        for _ in 0..3 {
            full_at = BUCKET.take(full_at, NOW).unwrap();
        }

        let refused = BUCKET.take(full_at, NOW).unwrap_err();
        let early = BUCKET.take(full_at, NOW + Duration::from_millis(9_999)).unwrap_err();
        let next = BUCKET.take(full_at, NOW + Duration::from_secs(10)).unwrap();

        assert_eq!((refused, early), (Duration::from_secs(10), Duration::from_millis(1)));
        assert_eq!(
            BUCKET.take(next, NOW + Duration::from_secs(10)),
            Err(Duration::from_secs(10)),
            "one, not more"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_costs_one_bucket_at_most() {
        let full_at = BUCKET.take(UnixMillis(0), NOW + Duration::from_secs(86_400)).unwrap();

        assert_eq!(BUCKET.take(full_at, NOW), Err(Duration::from_secs(10)));
    }
}
