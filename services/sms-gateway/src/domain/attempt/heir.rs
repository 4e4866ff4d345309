//! An attempt that was given up, and its heir: the one that its client has sent since under the same ids.
//!
//! What must hold: of both together nothing good is told twice, a bad end of the one is not told while the other may have
//! arrived, and one is told when neither has.

use common::models::sms::SmsState;

use super::{Attempt, Emission, JobState};

impl Attempt {
    /// Settles with its heir, which holds their ids, what has become of it, and gives what of that is to be told.
    pub(crate) fn speak_beside(&mut self, heir: &mut Attempt, emissions: Vec<Emission>) -> Vec<Emission> {
        match self.state {
            JobState::Sent | JobState::Delivered => self.arrive_beside(heir, emissions),
            JobState::Expired | JobState::Invalid | JobState::Failed => self.fail_beside(heir, emissions),
            _ => Vec::new(),
        }
    }

    /// What has arrived is not sent again: an heir that waits is cancelled, and goes on keeping others out. One that has left
    /// can only be delivered, too: of all else this one tells.
    fn arrive_beside(&mut self, heir: &mut Attempt, mut emissions: Vec<Emission>) -> Vec<Emission> {
        match heir.state {
            JobState::Cancelled => {}
            JobState::Queued if heir.resends == 0 => heir.cancel(),
            JobState::Queued => {
                // A first copy of it is out.
                heir.emitted.leave_to_another();
                heir.stay_unknown("another one has arrived", false);
            }
            _ => heir.emitted.leave_to_another(),
        }
        self.holds = false;
        emissions.retain(|emission| !heir.emitted.contains(emission.status));
        if heir.emitted.contains(SmsState::Delivered) {
            emissions.clear();
        }
        if self.state == JobState::Delivered {
            heir.emitted.insert(SmsState::Delivered);
        }
        emissions
    }

    /// As long as the heir may arrive it tells what comes of both.
    fn fail_beside(&self, heir: &mut Attempt, mut emissions: Vec<Emission>) -> Vec<Emission> {
        let (is_left, cancelled) = (heir.emitted.is_left_to_another(), heir.state == JobState::Cancelled);
        let arrived = self.emitted.contains(SmsState::Sent) || self.emitted.contains(SmsState::Delivered);
        if (is_left || cancelled) && !arrived {
            // It was yet another one that had arrived.
            return Vec::new();
        }
        heir.emitted.speak_again();
        let given_up = is_left && heir.state == JobState::Unknown && heir.due_at.is_none();
        if !cancelled && !given_up {
            return Vec::new();
        }
        heir.holds = false;
        // This one was told FAILED when it was given up; its heir was told of no end.
        if emissions.is_empty() && !heir.emitted.contains(SmsState::Failed) {
            let text =
                self.parts.iter().find_map(|part| part.fate.as_ref()?.text()).unwrap_or("not delivered");
            emissions.push(Emission {
                status: SmsState::Failed,
                recall_id: self.recall_id.clone(),
                error_text: Some(text.to_owned()),
            });
        }
        // Told of both, as an heir that was given up may still be found to have failed.
        heir.emitted.insert(SmsState::Failed);
        emissions.iter().for_each(|emission| heir.emitted.insert(emission.status));
        emissions
    }
}
