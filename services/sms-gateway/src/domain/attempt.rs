//! One attempt to send an SMS: its segments, what became of them, and which statuses follow.
//!
//! In: the rows of a job and its segments, and events (responses, receipts, times that have come). Out: changed rows and
//! the statuses to publish. What must hold: nothing that may have left is queued again, but once where the class asks
//! for it; each status is published once.

mod charge;
mod fail_over;
mod heir;
mod part;
mod receipts;

use common::models::UnixMillis;
use common::models::sms::{ClientId, CorrelId, JobId, RouteName, SmsClass, SmsState, SmscName};
use smpp::codec::CommandStatus;

use super::outcome::Refusal;
use super::state::{Emitted, JobState};
pub(crate) use part::{Part, PartEvent, PartState};

/// Why a message has expired, or what is missing of it was not sent.
pub(crate) const TOO_LATE: &str = "the deadline passed before the SMSC took the message";

/// Names a job; the order is the one in which rows are locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobKey {
    /// The tenant.
    pub(crate) client_id: ClientId,
    /// Id of the attempt.
    pub(crate) id: JobId,
}

/// A status to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Emission {
    /// The state.
    pub(crate) status: SmsState,
    /// The SMSC's id.
    pub(crate) recall_id: Option<String>,
    /// Text for people.
    pub(crate) error_text: Option<String>,
}

/// A job with its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Which job.
    pub(crate) key: JobKey,
    /// The tenant's id of the request.
    pub(crate) correl_id: CorrelId,
    /// Where it stands.
    pub(crate) state: JobState,
    /// Whether it keeps attempts with the same ids out.
    pub(crate) holds: bool,
    /// What was published.
    pub(crate) emitted: Emitted,
    /// How many segments it has; 0 before the first try.
    pub(crate) segments: i32,
    /// What to do about an unknown outcome.
    pub(crate) class: SmsClass,
    /// How often it was sent anew after an unknown outcome.
    pub(crate) resends: i32,
    /// Whether the recipient may get it twice; its statuses say so.
    pub(crate) possible_duplicate: bool,
    /// When it is too late to send.
    pub(crate) deadline: UnixMillis,
    /// When something is to be done about it.
    pub(crate) due_at: Option<UnixMillis>,
    /// Id of the last segment, once all are accepted.
    pub(crate) recall_id: Option<String>,
    /// Through which SMSC it went last.
    pub(crate) smsc: Option<SmscName>,
    /// Which way it goes.
    pub(crate) route: RouteName,
    /// Segments that it holds of its client's quota; 0 also where there was none when they left.
    pub(crate) charged: i32,
    /// SMSCs before that one that did not take it in this try.
    pub(crate) tried: Vec<SmscName>,
    /// Its segments by number.
    pub(crate) parts: Vec<Part>,
}

impl Attempt {
    /// Begins a try: what the SMSC does not have yet is about to leave. Gives the numbers of those segments.
    /// `give_up_at`: when an outcome is no longer waited for.
    pub(crate) fn begin(&mut self, segments: i32, smsc: &SmscName, give_up_at: UnixMillis) -> Vec<i32> {
        self.segments = segments;
        // The SMSC of an earlier try, which has none of it, may have wanted it cut otherwise.
        self.parts.retain(|part| part.number <= segments);
        self.smsc = Some(smsc.clone());
        self.state = JobState::Submitting;
        self.due_at = Some(give_up_at);
        let mut leaving = Vec::new();
        for number in 1..=segments {
            match self.parts.iter_mut().find(|part| part.number == number) {
                Some(part) if part.state != PartState::Queued => continue,
                Some(part) => *part = Part::leaving(number, smsc),
                None => self.parts.push(Part::leaving(number, smsc)),
            }
            leaving.push(number);
        }
        leaving
    }

    /// Takes one event of one segment. [`Attempt::settle`] draws the conclusions. `copy`: the [`Attempt::resends`] of
    /// when what it tells of was sent.
    pub(crate) fn apply(&mut self, number: i32, copy: i32, event: PartEvent) {
        let given_up = self.is_given_up();
        let (earlier, repeated) = (copy < self.resends, self.resends > 0);
        let Some(part) = self.parts.iter_mut().find(|part| part.number == number) else { return };
        let (open, waits) = (part.is_open(), part.waits());
        let before = part.state;
        let mut pause = None;
        match event {
            PartEvent::Accepted { message_id } if open || waits && repeated => {
                part.state = PartState::Accepted;
                part.message_id = message_id;
            }
            PartEvent::Found { message_id, fate } if open || waits && repeated => {
                part.state = PartState::Accepted;
                part.message_id = Some(message_id);
                part.fate = Some(fate);
            }
            // The copy that is to follow, or has followed, decides; unless it has not left, and what had is refused.
            PartEvent::Refused(refusal) if earlier && waits => part.refuse(refusal),
            PartEvent::Receipt(fate) if part.fate.as_ref().is_none_or(|known| known.yields_to(&fate)) => {
                part.fate = Some(fate);
            }
            _ if earlier => {}
            // A copy may be refused for being one: what became of the first is as unknown as before.
            PartEvent::Refused(_) if open && repeated => part.state = PartState::Unknown,
            PartEvent::Refused(refusal) if open => part.refuse(refusal),
            // Whether it may go elsewhere shows when the others are answered, too.
            PartEvent::Declined(status) if open => {
                part.state = PartState::Queued;
                part.refusal = Some(status.into());
            }
            // The client was told FAILED and may have sent it anew: what was not sent stays unsent. Of one that was sent
            // once more, an earlier copy may have arrived.
            PartEvent::Throttled { .. } | PartEvent::NotSent { .. } if open && given_up => {
                part.state = if repeated { PartState::Unknown } else { PartState::Refused };
            }
            PartEvent::Throttled { retry_at } | PartEvent::NotSent { retry_at } if open => {
                part.state = PartState::Queued;
                pause = Some(retry_at);
            }
            PartEvent::Unknown if open => part.state = PartState::Unknown,
            _ => {}
        }
        let after = part.state;
        if after != before {
            part.stored_at = None;
        }
        self.came_back_from(before, after);
        // As long as others are without an outcome, it is theirs that is waited for.
        if open && !self.parts.iter().any(Part::is_open) && self.parts.iter().any(Part::waits) {
            self.due_at = pause;
        }
    }

    /// Draws the conclusions from the segments, and gives the statuses to publish, in order.
    pub(crate) fn settle(&mut self) -> Vec<Emission> {
        let mut emissions = Vec::new();
        // Of one that the SMSC has, too: what is known to have failed does not become that.
        let unknown = matches!(self.state, JobState::Unknown | JobState::Sent);
        match self.state {
            // The attempt with the same ids that has succeeded speaks for it.
            JobState::Cancelled | JobState::Duplicate => return emissions,
            JobState::Submitting | JobState::Unknown => self.settle_submission(&mut emissions),
            // The first copy may be answered while the second waits.
            JobState::Queued if self.resends > 0 => self.settle_submission(&mut emissions),
            _ => {}
        }
        self.settle_receipts(unknown, &mut emissions);
        emissions
    }

    /// Tells whether nothing more of it is to be sent: its client was told FAILED and may have sent it anew, or what it
    /// sent before under the same ids has arrived.
    fn is_given_up(&self) -> bool {
        self.emitted.contains(SmsState::Failed) || self.emitted.is_left_to_another()
    }

    /// Tells whether an unknown outcome would be followed by one more try.
    pub(crate) fn may_resend(&self) -> bool {
        self.class != SmsClass::Bulk && self.resends == 0 && !self.is_given_up()
    }

    /// The time for an outcome has passed. What the class allows, and the deadline, is queued once more; else the client
    /// is told that nobody knows, and the gateway goes on listening. `release`: lets the client send again under the
    /// same ids.
    pub(crate) fn give_up(&mut self, release: bool, now: UnixMillis) -> Vec<Emission> {
        for part in self.parts.iter_mut().filter(|part| part.state == PartState::Submitting) {
            part.state = PartState::Unknown;
        }
        // What was refused is not sent once more, nor are the others.
        if self.harden() || self.refusal().is_some() {
            let mut emissions = Vec::new();
            self.settle_submission(&mut emissions);
            return emissions;
        }
        if self.may_resend() && self.deadline >= now {
            self.hold_what_left();
            for part in self.parts.iter_mut().filter(|part| part.state == PartState::Unknown) {
                part.state = PartState::Queued;
            }
            self.resends += 1;
            self.possible_duplicate = true;
            self.state = JobState::Queued;
            self.due_at = Some(now);
            return Vec::new();
        }
        self.stay_unknown("the SMSC did not answer", release)
    }

    /// Ends an attempt that waits, for a reason that lies not in what it says: too late, no bind. What the SMSC may have
    /// of it decides what that means. `release`: see [`Attempt::give_up`].
    pub(crate) fn drop_waiting(
        &mut self,
        status: SmsState,
        error_text: Option<String>,
        release: bool,
    ) -> Vec<Emission> {
        if self.resends > 0 {
            return self.stay_unknown("the SMSC did not answer, and it could not be sent again", release);
        }
        match self.parts.iter().any(|part| part.state == PartState::Accepted) {
            true => self.end_sent_in_part(error_text.as_deref()),
            false => self.end(status, error_text),
        }
    }

    fn end_sent_in_part(&mut self, reason: Option<&str>) -> Vec<Emission> {
        let sent = self.parts.iter().filter(|part| part.state == PartState::Accepted).count();
        self.end(SmsState::Failed, Some(self.sent_in_part(sent, reason)))
    }

    fn sent_in_part(&self, sent: usize, reason: Option<&str>) -> String {
        let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
        format!("only {sent} of {} segments were sent{reason}", self.segments)
    }

    fn stay_unknown(&mut self, reason: &str, release: bool) -> Vec<Emission> {
        // Nothing of it is sent any more, so nothing of it waits. What has never left is known not to have arrived.
        let unsent = if self.resends == 0 { PartState::Refused } else { PartState::Unknown };
        for part in self.parts.iter_mut().filter(|part| part.state == PartState::Queued) {
            part.state = unsent;
        }
        self.due_at = None;
        self.state = JobState::Unknown;
        let emissions = self.emit(SmsState::Failed, Some(format!("outcome unknown: {reason}")), true);
        // Of one that another speaks for, the ids stay taken: that one has arrived.
        self.holds &= !release || self.emitted.is_left_to_another();
        emissions.into_iter().collect()
    }

    /// Ends an attempt of which nothing is under way.
    pub(crate) fn end(&mut self, status: SmsState, error_text: Option<String>) -> Vec<Emission> {
        self.conclude(JobState::ended(status));
        self.emit(status, error_text, false).into_iter().collect()
    }

    /// Ends an attempt without a status, as another one with the same ids has succeeded. It goes on keeping others out
    /// in that one's stead.
    pub(crate) fn cancel(&mut self) {
        self.state = JobState::Cancelled;
        self.due_at = None;
    }

    /// Says when its client is told at last that nobody knows, where nothing more is done about that.
    pub(crate) fn tell_by(&mut self, at: UnixMillis) {
        if self.state == JobState::Unknown && !self.may_resend() {
            self.due_at = self.due_at.map(|due| due.min(at));
        }
    }

    /// Says when the SMSC is to be asked what became of it, unless a receipt tells before.
    pub(crate) fn ask_at(&mut self, at: UnixMillis) {
        if self.state == JobState::Sent && self.due_at.is_none() {
            self.due_at = Some(at);
        }
    }

    /// Tells whether a submission may still follow, or a question that names the sender, so that the payload is needed.
    pub(crate) fn needs_payload(&self) -> bool {
        match self.state {
            JobState::Queued => true,
            // A segment that turns out not to have left goes back into the queue.
            JobState::Submitting => true,
            // One that another speaks for may have to speak for itself again, and be sent once more.
            JobState::Unknown => self.due_at.is_some(),
            JobState::Sent => self.due_at.is_some(),
            _ => false,
        }
    }

    fn settle_submission(&mut self, emissions: &mut Vec<Emission>) {
        let unknown = self.state == JobState::Unknown;
        let has = |parts: &[Part], state| parts.iter().any(|part| part.state == state);
        if !has(&self.parts, PartState::Submitting) {
            self.harden();
        }
        if has(&self.parts, PartState::Submitting) {
            // What a refusal of one means for the message, the others decide.
            self.state = JobState::Submitting;
        } else if let Some((state, text)) = self.refusal() {
            match self.emitted.is_left_to_another() {
                true => self.cancel(),
                false => {
                    self.conclude(JobState::ended(state));
                    emissions.extend(self.emit(state, Some(text), unknown));
                }
            }
        } else if self.parts.iter().all(|part| part.state == PartState::Accepted) {
            self.recall_id = self.parts.last().and_then(|part| part.message_id.clone());
            self.conclude(JobState::Sent);
            // Who was told FAILED would take SENT for hope, where the receipt says that it has failed.
            if !(unknown && self.bad_end().is_some() && self.emitted.contains(SmsState::Failed)) {
                emissions.extend(self.emit(SmsState::Sent, None, unknown));
            }
        } else if has(&self.parts, PartState::Unknown) {
            self.state = JobState::Unknown;
        } else if self.emitted.is_left_to_another() {
            self.stay_behind();
        } else {
            self.state = JobState::Queued;
        }
    }

    /// Tells what follows from a refused segment, if there is one. INVALID says that nothing was sent: a message of which
    /// the SMSC has a part, or may have, has failed.
    fn refusal(&self) -> Option<(SmsState, String)> {
        let part = self.parts.iter().find(|part| part.state == PartState::Refused)?;
        let refusal = part.refusal.clone().unwrap_or(Refusal::Status(CommandStatus::RUNKNOWNERR));
        let text = refusal.text(part.number, self.segments);
        // Of what is to be sent once more, the first copy may be there.
        let may_be_there = |part: &Part| part.state == PartState::Unknown || part.waits() && self.resends > 0;
        let sent = self.parts.iter().filter(|part| part.state == PartState::Accepted).count();
        Some(match sent {
            0 if self.parts.iter().any(may_be_there) => (SmsState::Failed, text),
            0 => (refusal.state(), text),
            _ => (SmsState::Failed, self.sent_in_part(sent, Some(&text))),
        })
    }

    fn conclude(&mut self, state: JobState) {
        self.state = state;
        self.due_at = None;
        self.holds = state.holds();
    }

    fn emit(&mut self, status: SmsState, error_text: Option<String>, unknown: bool) -> Option<Emission> {
        if !self.emitted.admits(status, unknown) {
            return None;
        }
        self.emitted.insert(status);
        Some(Emission { status, recall_id: self.recall_id.clone(), error_text })
    }
}

#[cfg(test)]
mod tests;
