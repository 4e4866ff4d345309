//! How webhooks are delivered: the same settings for every service that has some.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::Backoff;

/// Settings of the delivery of webhooks.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// How long one request may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Requests of this process at once.
    pub concurrent: usize,
    /// The pause after the first try that failed; doubled after each, unless the receiver names one.
    #[serde(with = "humantime_serde")]
    pub first_pause: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub longest_pause: Duration,
    /// For how long an event is tried to be delivered.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// The authorities that receivers' certificates may be of, as PEM; none: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Allows plain http to receivers that are not at a loopback or private address.
    pub allow_http: bool,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            concurrent: 16,
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(15 * 60),
            max_age: Duration::from_secs(24 * 3600),
            ca_file: None,
            allow_http: false,
        }
    }
}

impl DeliverySettings {
    /// Gives the pauses between tries.
    pub fn backoff(&self) -> Backoff {
        Backoff { first: self.first_pause, longest: self.longest_pause }
    }

    /// The rules that a type cannot express: whether each holds, the setting, what it says.
    pub fn rules(&self) -> Vec<(bool, &'static str, &'static str)> {
        vec![
            (self.concurrent > 0, "concurrent", "is above 0"),
            (!self.timeout.is_zero(), "timeout", "is above 0"),
            (!self.first_pause.is_zero(), "first_pause", "is above 0"),
            (self.longest_pause >= self.first_pause, "longest_pause", "is first_pause at least"),
            (!self.max_age.is_zero(), "max_age", "is above 0"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_the_rules_and_each_rule_can_be_broken() {
        let zero = Duration::ZERO;
        let broken = DeliverySettings {
            timeout: zero,
            concurrent: 0,
            first_pause: zero,
            max_age: zero,
            ..DeliverySettings::default()
        };
        let faults = |settings: &DeliverySettings| settings.rules().iter().filter(|rule| !rule.0).count();

        assert_eq!(faults(&DeliverySettings::default()), 0);
        assert_eq!(faults(&broken), 4);
        assert_eq!(faults(&DeliverySettings { longest_pause: zero, ..DeliverySettings::default() }), 1);
    }
}
