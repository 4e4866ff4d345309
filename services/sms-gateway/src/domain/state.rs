//! States of an attempt, and which statuses may still be published for it.

use std::{fmt, str::FromStr};

use common::models::sms::SmsState;

/// Where an attempt stands: one record of `send-sms` that was stored as a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JobState {
    /// Waits to be submitted.
    Queued,
    /// Its PDUs may be on their way; never submitted again from here.
    Submitting,
    /// An outcome did not arrive; a late response or a receipt may still tell it.
    Unknown,
    /// The SMSC has all segments.
    Sent,
    /// Belongs to the loop-back client and has statuses to come.
    Looping,
    /// Ended: delivered.
    Delivered,
    /// Ended: too late.
    Expired,
    /// Ended: will not succeed as it is.
    Invalid,
    /// Ended: not delivered.
    Failed,
    /// Ended without a status of its own: the loop-back markers that ask for silence.
    Silent,
    /// Not tried: another attempt with the same ids was open or had succeeded.
    Duplicate,
    /// Not tried, or without success: another attempt, whose outcome was unknown, turned out to have succeeded.
    Cancelled,
}

const NAMES: [(JobState, &str); 12] = [
    (JobState::Queued, "queued"),
    (JobState::Submitting, "submitting"),
    (JobState::Unknown, "unknown"),
    (JobState::Sent, "sent"),
    (JobState::Looping, "looping"),
    (JobState::Delivered, "delivered"),
    (JobState::Expired, "expired"),
    (JobState::Invalid, "invalid"),
    (JobState::Failed, "failed"),
    (JobState::Silent, "silent"),
    (JobState::Duplicate, "duplicate"),
    (JobState::Cancelled, "cancelled"),
];

impl JobState {
    /// Gives the name that tables hold.
    pub(crate) fn as_str(self) -> &'static str {
        NAMES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Tells whether an attempt in this state keeps others with its ids out (design: open or succeeded).
    pub(crate) fn holds(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Submitting | Self::Unknown | Self::Sent | Self::Looping | Self::Delivered
        )
    }

    /// Tells whether the SMSC has the message, as far as is known.
    pub(crate) fn has_arrived(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered)
    }

    /// Gives the end that a final status means.
    pub(crate) fn ended(status: SmsState) -> Self {
        match status {
            SmsState::Sent => Self::Sent,
            SmsState::Delivered => Self::Delivered,
            SmsState::Expired => Self::Expired,
            SmsState::Invalid => Self::Invalid,
            SmsState::Failed => Self::Failed,
        }
    }
}

/// A table holds a name that no state has.
#[derive(Debug, thiserror::Error)]
#[error("no job state is called {0:?}")]
pub(crate) struct UnknownState(String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(state, _)| *state)
            .ok_or_else(|| UnknownState(name.into()))
    }
}

/// The statuses that were published for an attempt, and above them how many others with the same ids speak for it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Emitted(i32);

impl Emitted {
    /// Reads what [`Emitted::bits`] gave.
    pub(crate) fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// Gives the form that tables hold.
    pub(crate) fn bits(self) -> i32 {
        self.0
    }

    fn bit(status: SmsState) -> i32 {
        match status {
            SmsState::Sent => 1,
            SmsState::Delivered => 2,
            SmsState::Expired => 4,
            SmsState::Invalid => 8,
            SmsState::Failed => 16,
        }
    }

    /// One other attempt with the same ids that has arrived, and said so.
    const ANOTHER: i32 = 32;

    /// Leaves it to another attempt, or to one more, to say what comes of all, but for DELIVERED.
    pub(crate) fn leave_to_another(&mut self) {
        self.0 += Self::ANOTHER;
    }

    /// Takes that back, of one of them.
    pub(crate) fn speak_again(&mut self) {
        if self.is_left_to_another() {
            self.0 -= Self::ANOTHER;
        }
    }

    /// Tells whether another attempt speaks for it.
    pub(crate) fn is_left_to_another(self) -> bool {
        self.0 >= Self::ANOTHER
    }

    /// Tells whether `status` was published.
    pub(crate) fn contains(self, status: SmsState) -> bool {
        self.0 & Self::bit(status) != 0
    }

    /// Notes `status` as published.
    pub(crate) fn insert(&mut self, status: SmsState) {
        self.0 |= Self::bit(status);
    }

    /// Tells whether `status` may be published now: each at most once, SENT only as the first or as the correction of
    /// an unknown outcome, a bad end only once (or as the correction of an unknown outcome), DELIVERED as long as
    /// nothing said so.
    ///
    /// `unknown`: FAILED, if published, meant no more than that the outcome is unknown.
    pub(crate) fn admits(self, status: SmsState, unknown: bool) -> bool {
        if self.contains(status) || self.is_left_to_another() && status != SmsState::Delivered {
            return false;
        }
        let said = if unknown { self.0 & !Self::bit(SmsState::Failed) } else { self.0 };
        match status {
            SmsState::Sent => said == 0,
            SmsState::Delivered => true,
            SmsState::Expired | SmsState::Invalid | SmsState::Failed => {
                said & !Self::bit(SmsState::Sent) == 0
            }
        }
    }
}

impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            [SmsState::Sent, SmsState::Delivered, SmsState::Expired, SmsState::Invalid, SmsState::Failed];
        let left = self.is_left_to_another().then_some("left to another");
        f.debug_set().entries(all.into_iter().filter(|status| self.contains(*status))).entries(left).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [SmsState; 5] =
        [SmsState::Sent, SmsState::Delivered, SmsState::Expired, SmsState::Invalid, SmsState::Failed];

    #[test]
    fn every_state_is_read_back_from_its_name() {
        for (state, name) in NAMES {
            assert_eq!(state.as_str(), name);
            assert_eq!(name.parse::<JobState>().unwrap(), state);
        }
        assert!("paid".parse::<JobState>().is_err());
    }

    #[test]
    fn an_unknown_outcome_is_corrected_by_what_is_learnt_later() {
        let mut emitted = Emitted::default();
        emitted.insert(SmsState::Failed);

        assert!(emitted.admits(SmsState::Sent, true));
        assert!(emitted.admits(SmsState::Expired, true));
        assert!(emitted.admits(SmsState::Delivered, true));
        assert!(!emitted.admits(SmsState::Failed, true));
        assert!(!emitted.admits(SmsState::Sent, false));
        assert!(!emitted.admits(SmsState::Expired, false));
    }

    proptest! {
        #[test]
        fn no_status_comes_twice_and_sent_comes_first_unless_it_corrects(
            offers in proptest::collection::vec((0usize..5, any::<bool>()), 0..12),
        ) {
            let mut emitted = Emitted::default();
            let mut published = Vec::new();
            for (index, unknown) in offers {
                let status = ALL[index];
                if emitted.admits(status, unknown) {
                    if status == SmsState::Sent {
                        prop_assert!(published.iter().all(|before| unknown && *before == SmsState::Failed));
                    }
                    prop_assert!(!published.contains(&status));
                    emitted.insert(status);
                    published.push(status);
                }
            }
        }
    }
}
