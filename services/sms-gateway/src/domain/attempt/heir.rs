//! An attempt that was given up, and its heir: the one that its client has sent since under the same ids.
//!
//! What must hold: of both together no status is published twice, SENT comes once, and no bad end of the one is told while
//! the other may have arrived.

use common::models::sms::SmsState;

use super::{Attempt, Emission, JobState};

impl Attempt {
    /// Settles with its heir what has become of it, and gives what of `emissions` is to be told. What has arrived is not
    /// sent again: an heir that waits is cancelled, and one that has left can only be delivered, too.
    pub(crate) fn speak_beside(&mut self, heir: &mut Attempt, mut emissions: Vec<Emission>) -> Vec<Emission> {
        if !matches!(self.state, JobState::Sent | JobState::Delivered) {
            return Vec::new();
        }
        if heir.state == JobState::Queued {
            heir.cancel();
            heir.holds = false;
            return emissions;
        }
        self.holds = false;
        let unknown = heir.state == JobState::Unknown;
        emissions.retain(|emission| heir.emitted.admits(emission.status, unknown));
        let ends = [SmsState::Sent, SmsState::Expired, SmsState::Invalid, SmsState::Failed];
        for status in emissions.iter().map(|emission| emission.status).chain(ends) {
            heir.emitted.insert(status);
        }
        emissions
    }
}
