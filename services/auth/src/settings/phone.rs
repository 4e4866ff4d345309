//! `[auth.phone]`: codes by SMS, through our own gateway.

use std::time::Duration;

use common::models::sms::ClientId;
use serde::Deserialize;
use web::Bucket;

/// How numbers are verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneSettings {
    /// The public key of our client of the SMS gateway, in base64 or PEM. Its kind decides the version of the envelope:
    /// X25519 the second, RSA the first. Empty: no codes are sent. The standalone makes one at its first start.
    pub key: String,
    /// Our name among the clients of the SMS gateway.
    pub client: ClientId,
    /// The sender of the SMS: a number, or up to 11 letters and digits. Many SMSCs let only certain ones through.
    pub sender: String,
    /// The text of the SMS, with `{code}` in it.
    pub text: String,
    /// The topic that jobs of the gateway go to.
    pub send_topic: String,
    /// The topic that the gateway's statuses come from.
    pub status_topic: String,
    /// Pauses between the SMS of a verification; one more SMS than there are pauses can be sent.
    pub pauses: Vec<Pause>,
    /// Pauses between checks of a code; the last one holds for all after it.
    pub check_pauses: Vec<Pause>,
    /// Codes that may be shown in a verification, right or wrong.
    pub checks: u16,
    /// SMS that a number gets, whoever asks: so many at once, and one more after each refill.
    pub per_number: Bucket,
    /// SMS that all numbers together get, likewise: nobody has to be logged in to ask for one, and each costs money. A large
    /// `size` is no limit.
    pub all_numbers: Bucket,
    /// How long a code can be shown. The gateway drops an SMS that it could not send by then.
    #[serde(with = "humantime_serde")]
    pub code_ttl: Duration,
    /// How long a verification lives after the last call, and how long it can be used once it is done.
    #[serde(with = "humantime_serde")]
    pub session_ttl: Duration,
}

/// A pause in a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pause(#[serde(with = "humantime_serde")] pub Duration);

impl Default for PhoneSettings {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            key: String::new(),
            client: "auth".into(),
            sender: "Sealpost".to_owned(),
            text: "{code} is your code. Give it to nobody.".to_owned(),
            send_topic: bus::topics::SEND_SMS.to_owned(),
            status_topic: bus::topics::SMS_STATUS.to_owned(),
            pauses: [1, 2, 5, 10].map(|pause| Pause(minutes(pause))).to_vec(),
            check_pauses: [0, 0, 1, 2].map(|pause| Pause(minutes(pause))).to_vec(),
            checks: 5,
            // Five a day.
            per_number: Bucket { size: 5, refill: minutes(288) },
            // A thousand, and then 900 an hour.
            all_numbers: Bucket { size: 1000, refill: Duration::from_secs(4) },
            code_ttl: minutes(10),
            session_ttl: minutes(30),
        }
    }
}

impl PhoneSettings {
    /// SMS of one verification.
    pub(crate) fn max_sends(&self) -> i32 {
        i32::try_from(self.pauses.len()).unwrap_or(i32::MAX).saturating_add(1)
    }

    /// Checks of one verification.
    pub(crate) fn max_checks(&self) -> i32 {
        self.checks.into()
    }

    /// The pause after an SMS when `before` were sent before it.
    pub(crate) fn pause_after(&self, before: i32) -> Duration {
        let place = usize::try_from(before).unwrap_or_default();
        self.pauses.get(place).map_or(Duration::ZERO, |pause| pause.0)
    }

    /// The pause after so many checks.
    pub(crate) fn pause_after_check(&self, checks: i32) -> Duration {
        let place = usize::try_from(checks.saturating_sub(1)).unwrap_or_default();
        let pause = self.check_pauses.get(place).or(self.check_pauses.last());
        pause.map_or(Duration::ZERO, |pause| pause.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_list_and_its_last_for_checks_beyond_it() {
        let settings = PhoneSettings::default();

        let sends = [0, 1, 2, 3, 4].map(|before| settings.pause_after(before).as_secs());
        let checks = [1, 2, 3, 4, 5].map(|checks| settings.pause_after_check(checks).as_secs());

        assert_eq!((sends, settings.max_sends()), ([60, 120, 300, 600, 0], 5));
        assert_eq!(checks, [0, 0, 60, 120, 120]);
    }
}
