//! What a message holds of its client's quota.
//!
//! A segment counts from when it is about to leave until it is certain that the SMSC does not have it; where the SMSC has
//! a part of a message, or may have, the rest counts as well while it may follow. What must hold: what is held grows only
//! when it is asked for, so that nothing that happens afterwards takes a client beyond its quota.

use super::{Attempt, JobState, PartState};

impl Attempt {
    /// Tells how many segments more it needs to leave in so many.
    pub(crate) fn needs(&self, segments: i32) -> i32 {
        if self.resends == 0 {
            return (segments - self.charged).max(0);
        }
        // Of what is sent once more, the first copies may be with the SMSC and go on counting.
        let stays =
            |number| self.parts.iter().any(|part| part.number == number && part.state != PartState::Queued);
        (1..=segments).map(|number| i32::from(!stays(number))).sum()
    }

    /// Gives back what will certainly not be with an SMSC.
    pub(crate) fn release_unsent(&mut self) {
        // Of a message that was sent once more, each segment that comes back is told by itself: see `came_back_from`.
        if self.charged == 0 || self.resends > 0 {
            return;
        }
        let may_follow = self.is_pinned()
            && matches!(self.state, JobState::Queued | JobState::Submitting | JobState::Unknown);
        let waiting = self.parts.iter().filter(|part| may_follow && part.state == PartState::Queued).count();
        self.hold_at_most(self.out() + waiting);
    }

    /// A segment is in another state than `before`: of a message that was sent once more, gives it back if that shows that
    /// a copy of it did not arrive.
    pub(super) fn came_back_from(&mut self, before: PartState, after: PartState) {
        let unsent = match before {
            PartState::Submitting | PartState::Unknown => {
                matches!(after, PartState::Queued | PartState::Refused)
            }
            PartState::Queued => after == PartState::Refused,
            PartState::Accepted | PartState::Refused => false,
        };
        if unsent && self.resends > 0 {
            let fewer = usize::try_from(self.charged - 1).unwrap_or_default();
            self.hold_at_most(fewer.max(self.out()));
        }
    }

    /// It is about to be queued once more: what has left stays counted, what has not is asked for again.
    pub(super) fn hold_what_left(&mut self) {
        self.hold_at_most(self.out());
    }

    fn hold_at_most(&mut self, segments: usize) {
        self.charged = self.charged.min(i32::try_from(segments).unwrap_or(i32::MAX));
    }

    /// Counts the segments that an SMSC has or may have.
    fn out(&self) -> usize {
        let out = |state| matches!(state, PartState::Submitting | PartState::Accepted | PartState::Unknown);
        self.parts.iter().filter(|part| out(part.state)).count()
    }
}
