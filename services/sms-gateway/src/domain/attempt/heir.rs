//! An attempt that was given up, and its heir: the one with the same ids that holds them now, mostly as its client has
//! sent it since.
//!
//! What must hold: of both together nothing good is told twice, a bad end of the one is not told while the other is known
//! to have arrived, and one is told when neither has. After one has arrived nothing of the other leaves.

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
            JobState::Queued => heir.stay_behind(),
            _ => heir.emitted.leave_to_another(),
        }
        self.holds = false;
        emissions.retain(|emission| !heir.emitted.contains(emission.status));
        // There may be a third one, with the same heir.
        heir.emitted.insert(SmsState::Sent);
        if heir.emitted.contains(SmsState::Delivered) {
            emissions.clear();
        }
        if self.state == JobState::Delivered {
            heir.emitted.insert(SmsState::Delivered);
        }
        emissions
    }

    /// Sends nothing of this one any more, as another one has arrived. Of what is sent once more a first copy is out.
    pub(super) fn stay_behind(&mut self) {
        if self.resends == 0 {
            return self.cancel();
        }
        self.emitted.leave_to_another();
        self.stay_unknown("another one has arrived", false);
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
        // This one was told FAILED when it was given up. What its heir has come to was not told.
        let own = self.bad_end().map_or("not delivered", |(_, text)| text.unwrap_or("it expired"));
        let (status, text) = heir.bad_end().unwrap_or((SmsState::Failed, Some(own)));
        if emissions.is_empty() && !heir.emitted.contains(status) {
            let error_text = text.map(str::to_owned);
            emissions.push(Emission { status, recall_id: self.recall_id.clone(), error_text });
        }
        // Told of both, as an heir that was given up may still be found to have failed.
        for end in [SmsState::Expired, SmsState::Invalid, SmsState::Failed] {
            heir.emitted.insert(end);
        }
        emissions
    }
}
