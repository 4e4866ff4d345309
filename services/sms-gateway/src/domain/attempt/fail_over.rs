//! What one SMSC did not take, and whether another one may have it.
//!
//! What must hold: a message of which an SMSC has a part, or may have one, goes to no other; each SMSC of a route gets a
//! message at most once in a try.

use common::models::UnixMillis;
use common::models::sms::SmscName;

use super::{Attempt, Part, PartState};

impl Attempt {
    /// Tells whether another SMSC may be asked to take it: none has a part of it, or may have, and nobody was told of
    /// an end.
    pub(crate) fn may_pass_on(&self) -> bool {
        let untaken = |part: &Part| matches!(part.state, PartState::Queued | PartState::Submitting);
        self.resends == 0 && !self.is_given_up() && self.parts.iter().all(untaken)
    }

    /// Gives the SMSCs that had it in this try, the last one included.
    pub(crate) fn tried_so_far(&self) -> Vec<SmscName> {
        let last = self.smsc.iter().filter(|smsc| !self.tried.contains(smsc));
        self.tried.iter().chain(last).cloned().collect()
    }

    /// Tells whether the last SMSC had it in this try before.
    pub(crate) fn came_back(&self) -> bool {
        self.smsc.as_ref().is_some_and(|smsc| self.tried.contains(smsc))
    }

    /// Gives the form of [`Attempt::tried`] that tables hold.
    pub(crate) fn tried_names(&self) -> Option<String> {
        (!self.tried.is_empty()).then(|| serde_json::to_string(&self.tried).unwrap_or_default())
    }

    /// It is queued again, as an SMSC did not take it: at once where there is `another` one, else in a new try and when
    /// its pause has ended. The pause is as good as over where others of its segments were still under way.
    pub(crate) fn pass_on(&mut self, another: bool, now: UnixMillis) {
        match another {
            _ if self.is_pinned() => {}
            true => {
                self.tried = self.tried_so_far();
                self.due_at = Some(now);
            }
            false => self.tried.clear(),
        }
        self.due_at.get_or_insert(now);
    }

    /// Tells whether it waits, and may be given to this SMSC.
    pub(crate) fn may_leave_by(&self, smsc: &SmscName, now: UnixMillis) -> bool {
        let elsewhere = self.is_pinned() && self.smsc.as_ref() != Some(smsc);
        !elsewhere && self.due_at.is_some_and(|due| due <= now)
    }

    /// Tells whether a segment was last given to this SMSC.
    pub(crate) fn is_with(&self, number: i32, smsc: &SmscName) -> bool {
        self.parts.iter().any(|part| part.number == number && part.smsc == *smsc)
    }

    /// Tells whether it must go through the SMSC of its last try: that one has a part of it, or may have all.
    pub(crate) fn is_pinned(&self) -> bool {
        self.resends > 0 || self.parts.iter().any(|part| part.state != PartState::Queued)
    }

    /// Where the SMSC that declined segments has others, or may have, nobody else can take those: it has refused them.
    /// Tells whether there are any.
    pub(super) fn harden(&mut self) -> bool {
        let taken = |part: &Part| matches!(part.state, PartState::Accepted | PartState::Unknown);
        let declined = |part: &Part| part.state == PartState::Queued && part.refusal.is_some();
        let harden = self.parts.iter().any(taken) && self.parts.iter().any(declined);
        for part in self.parts.iter_mut().filter(|part| harden && declined(part)) {
            part.state = PartState::Refused;
        }
        harden
    }
}
