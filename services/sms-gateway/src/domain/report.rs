//! The delivery report: attempts counted by client, day and SMSC.
//!
//! Times to a receipt are counted in buckets, so that what was counted at different times can be put together. The
//! boundaries grow by a factor of √2, and a quantile is told as the geometric middle of its bucket: it is off by 19 % at
//! most, from 0.1 seconds to 17 days.

use std::collections::BTreeMap;

use super::state::JobState;

/// How many boundaries there are; times beyond the last have a bucket more.
const BOUNDS: i32 = 48;
/// The first one, in milliseconds.
const FIRST: f64 = 125.0;

/// Gives the boundaries of the buckets in milliseconds, each of which still belongs to its bucket.
pub(crate) fn bounds() -> impl Iterator<Item = (i32, i64)> {
    (0..BOUNDS).map(|bucket| (bucket, upper(bucket).round() as i64))
}

fn upper(bucket: i32) -> f64 {
    FIRST * 2_f64.powf(f64::from(bucket) / 2.0)
}

/// Attempts that are alike: what tables count together.
#[derive(Clone, Debug)]
pub(crate) struct Alike {
    /// Where they stand.
    pub(crate) state: JobState,
    /// Whether SENT was published.
    pub(crate) sent: bool,
    /// The bucket of the time that the receipt took; below 0: nothing was delivered.
    pub(crate) bucket: i32,
    /// How many they are.
    pub(crate) requests: i64,
    /// Segments that an SMSC has of them, or may have.
    pub(crate) segments: i64,
}

/// The figures of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) requests: i64,
    pub(crate) segments: i64,
    pub(crate) sent: i64,
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    pub(crate) expired: i64,
    pub(crate) invalid: i64,
    pub(crate) unknown: i64,
    pub(crate) waiting: i64,
    times: BTreeMap<i32, i64>,
}

impl Tally {
    /// Counts them. A record that repeats another one's ids is no request.
    pub(crate) fn add(&mut self, alike: &Alike) {
        let Alike { state, sent, bucket, requests, segments } = *alike;
        if state == JobState::Duplicate {
            return;
        }
        self.requests += requests;
        self.segments += segments;
        if sent || matches!(state, JobState::Sent | JobState::Delivered) {
            self.sent += requests;
        }
        match state {
            JobState::Delivered => self.delivered += requests,
            JobState::Failed => self.failed += requests,
            JobState::Expired => self.expired += requests,
            JobState::Invalid => self.invalid += requests,
            JobState::Unknown => self.unknown += requests,
            JobState::Queued | JobState::Submitting | JobState::Looping => self.waiting += requests,
            JobState::Sent | JobState::Silent | JobState::Cancelled | JobState::Duplicate => {}
        }
        if bucket >= 0 {
            *self.times.entry(bucket).or_default() += requests;
        }
    }

    /// Gives the time within which this part of the delivered messages was delivered, in seconds.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let count: i64 = self.times.values().sum();
        let rank = (part * count as f64).ceil() as i64;
        let mut below = 0;
        let bucket = self.times.iter().find_map(|(bucket, requests)| {
            below += requests;
            (below >= rank).then_some(*bucket)
        })?;
        let middle = upper(bucket) / 2_f64.powf(0.25);
        Some((middle / 10.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(millis: i64) -> i32 {
        bounds().find(|(_, bound)| millis <= *bound).map_or(BOUNDS, |(bucket, _)| bucket)
    }

    fn delivered(bucket: i32) -> Alike {
        Alike { state: JobState::Delivered, sent: true, bucket, requests: 1, segments: 2 }
    }

    fn of(state: JobState, sent: bool) -> Tally {
        let mut tally = Tally::default();
        tally.add(&Alike { state, sent, bucket: -1, requests: 1, segments: 0 });
        tally
    }

    #[test]
    fn each_state_counts_where_it_belongs() {
        let one = || Tally { requests: 1, ..Tally::default() };

        assert_eq!(of(JobState::Duplicate, false), Tally::default());
        assert_eq!(of(JobState::Queued, false), Tally { waiting: 1, ..one() });
        assert_eq!(of(JobState::Submitting, false), Tally { waiting: 1, ..one() });
        assert_eq!(of(JobState::Unknown, false), Tally { unknown: 1, ..one() });
        assert_eq!(of(JobState::Sent, true), Tally { sent: 1, ..one() });
        assert_eq!(of(JobState::Delivered, true), Tally { sent: 1, delivered: 1, ..one() });
        assert_eq!(of(JobState::Failed, false), Tally { failed: 1, ..one() });
        assert_eq!(of(JobState::Failed, true), Tally { sent: 1, failed: 1, ..one() });
        assert_eq!(of(JobState::Expired, false), Tally { expired: 1, ..one() });
        assert_eq!(of(JobState::Invalid, false), Tally { invalid: 1, ..one() });
        assert_eq!(of(JobState::Cancelled, false), one());
    }

    #[test]
    fn there_is_no_quantile_of_nothing() {
        assert_eq!(of(JobState::Sent, true).quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_off_by_a_fifth_at_most(
            mut times in proptest::collection::vec(1_000_i64..1_000_000_000, 1..60),
            part in 0.01_f64..1.0,
        ) {
            let mut tally = Tally::default();
            times.iter().for_each(|time| tally.add(&delivered(bucket(*time))));

            let told = tally.quantile(part).unwrap();

            times.sort_unstable();
            let rank = (part * times.len() as f64).ceil() as usize;
            let real = times[rank - 1] as f64 / 1000.0;
            prop_assert!((told / real).max(real / told) < 1.2, "{told} for {real}");
        }
    }
}
