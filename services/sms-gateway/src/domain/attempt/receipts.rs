//! What the receipts of its segments say about a message.

use common::models::sms::SmsState;

use super::{Attempt, Emission, JobState, Part};

impl Attempt {
    /// Gives the segments of which the SMSC has not said what became of them, with its ids.
    pub(crate) fn untold(&self) -> Vec<(i32, String)> {
        let open = self.parts.iter().filter(|part| part.says().is_none());
        open.filter_map(|part| Some((part.number, part.message_id.clone()?))).collect()
    }

    /// Draws the conclusions from what receipts say of the segments.
    pub(super) fn settle_receipts(&mut self, unknown: bool, emissions: &mut Vec<Emission>) {
        // What is told of one segment while others are on their way would be a first status, which says that nothing was
        // sent. They end, with a response or without.
        let told = self.emitted.contains(SmsState::Failed);
        if !told && matches!(self.state, JobState::Submitting | JobState::Unknown) {
            return;
        }
        let delivered = |part: &&Part| part.says() == Some(SmsState::Delivered);
        let all = self.segments > 0 && self.parts.iter().filter(delivered).count() == self.segments as usize;
        let (status, text) = match self.bad_end() {
            Some((status, text)) => (status, text.map(str::to_owned)),
            None if all => (SmsState::Delivered, None),
            None => return,
        };
        if self.state == JobState::Queued {
            // The rest need not follow. Of what is sent once more it does: its copies are counted and told together.
            if self.resends == 0 {
                emissions.extend(self.end_sent_in_part(text.as_deref().or(Some("it expired"))));
            }
            return;
        }
        emissions.extend(self.emit(status, text, unknown));
        // What was told as unknown has failed indeed: nothing new to its client, but an end of the attempt.
        if self.emitted.is_left_to_another() && status != SmsState::Delivered {
            self.cancel();
        } else if self.emitted.contains(status) || self.state == JobState::Sent {
            self.conclude(JobState::ended(status));
        }
    }

    /// Gives what the first of its receipts says that tells of no delivery.
    pub(super) fn bad_end(&self) -> Option<(SmsState, Option<&str>)> {
        self.parts.iter().find_map(|part| {
            let state = part.says().filter(|state| *state != SmsState::Delivered)?;
            Some((state, part.fate.as_ref()?.text()))
        })
    }
}
