//! An attempt that was given up, and its heir: the one with the same ids that holds them now, mostly as its client has
//! sent it since.
//!
//! What must hold: of all that have the same ids nothing good is told twice, a bad end of one is not told while another is
//! known to have arrived, and one is told when none has. After one has arrived nothing of the others leaves.

use common::models::sms::SmsState;

use super::{Attempt, Emission, JobState};

impl Attempt {
    /// Settles with its heir, which holds their ids, what has become of it since it was in the state `before`, and gives
    /// what of that is to be told.
    pub(crate) fn speak_beside(
        &mut self,
        before: JobState,
        heir: &mut Attempt,
        emissions: Vec<Emission>,
    ) -> Vec<Emission> {
        match (before.has_arrived(), self.state.has_arrived()) {
            (had_arrived, true) => self.arrive_beside(had_arrived, heir, emissions),
            (true, false) => self.fail_beside(heir, emissions),
            // The heir tells what comes of both.
            (false, false) => Vec::new(),
        }
    }

    /// What has arrived is not sent again: an heir that waits is cancelled, and goes on keeping others out. One that has left
    /// can only be delivered, too: of all else this one tells.
    fn arrive_beside(
        &mut self,
        had_arrived: bool,
        heir: &mut Attempt,
        mut emissions: Vec<Emission>,
    ) -> Vec<Emission> {
        if !had_arrived || !heir.emitted.is_left_to_another() {
            heir.emitted.leave_to_another();
        }
        if heir.state == JobState::Queued {
            heir.stay_behind();
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
        match self.resends {
            0 => self.cancel(),
            _ => drop(self.stay_unknown("another one has arrived", false)),
        }
    }

    /// It had arrived, and was not delivered. As long as another one has arrived, or the heir may, that is not told.
    fn fail_beside(&self, heir: &mut Attempt, mut emissions: Vec<Emission>) -> Vec<Emission> {
        let was_left = heir.emitted.is_left_to_another();
        heir.emitted.speak_again();
        let given_up = was_left && heir.state == JobState::Unknown && heir.due_at.is_none();
        let is_over = heir.state == JobState::Cancelled || given_up;
        if heir.emitted.is_left_to_another() || !is_over {
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
