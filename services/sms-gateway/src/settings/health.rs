//! When an SMSC counts as sick, `[sms_gateway.health]`, and which refusals are no verdict on the message.

use std::time::Duration;

use serde::Deserialize;
use smpp::codec::CommandStatus;

/// An SMSC is judged by its last submissions: bad are those that it did not answer in time or refused for a reason that
/// does not lie in the message. Up to the part `tolerated` it keeps its weight in its routes. From there on it keeps the
/// less the more are bad, in proportion, and `trickle` when all are: enough to find out whether it is well again. What
/// it loses goes to the SMSCs beside it, or to the backup when all of them are sick. Each instance judges for itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthSettings {
    /// How many submissions it is judged by.
    pub outcomes: usize,
    /// How many there must be at least.
    pub least: usize,
    /// The part of bad ones that costs no weight.
    pub tolerated: f64,
    /// The part of its weight that it keeps at least.
    pub trickle: f64,
    /// How long an SMSC may leave a full window without any answer, before others take its turns until it answers. (One
    /// that throttles leaves its turns at once, and while it recovers from that, those for which it has no room.)
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { outcomes: 50, least: 10, tolerated: 0.5, trickle: 0.02, patience: Duration::from_secs(1) }
    }
}

impl HealthSettings {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        for (fits, place, what) in [
            (self.outcomes > 0, "outcomes", "must be above 0"),
            ((1..=self.outcomes).contains(&self.least), "least", "must be from 1 to health.outcomes"),
            ((0.0..1.0).contains(&self.tolerated), "tolerated", "must be 0 or above, and below 1"),
            (self.trickle > 0.0 && self.trickle <= 1.0, "trickle", "must be above 0, and at most 1"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
    }
}

/// Reads statuses by their name, `ESME_RSYSERR`, or their code, `0x08`.
pub(super) fn statuses<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<CommandStatus>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let status = |word: String| {
        let code = match word.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => word.parse().ok(),
        };
        let status =
            CommandStatus::from_name(&word).or(code.map(CommandStatus)).filter(|status| !status.is_ok());
        status.ok_or_else(|| serde::de::Error::custom(format!("{word:?} is no command_status of an error")))
    };
    words.into_iter().map(status).collect()
}
