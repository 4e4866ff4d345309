//! The `[keystore]` section.

use std::time::Duration;

use config::{ConfigError, Fault};
use serde::Deserialize;

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeystoreSettings {
    /// Devices that an account may have, 1 to 127.
    pub max_devices: usize,
    /// One-time keys of each kind that a device may have waiting; a request carries 100 of each at most.
    pub max_one_time_keys: usize,
    /// Below so many one-time keys of a kind the owner is told.
    pub low_water: u32,
    /// How long a key that was given out is remembered, and refused when it is uploaded again; and that an account was
    /// deleted, so that no late registration finds it.
    pub tombstone_days: u32,
    /// How long a registration may take until it is given up.
    #[serde(with = "humantime_serde")]
    pub opening_timeout: Duration,
    /// How often unfinished devices and expired tombstones are looked for.
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
}

impl Default for KeystoreSettings {
    fn default() -> Self {
        Self {
            max_devices: 6,
            max_one_time_keys: 300,
            low_water: 20,
            tombstone_days: 90,
            opening_timeout: Duration::from_secs(300),
            sweep_interval: Duration::from_secs(30),
        }
    }
}

impl KeystoreSettings {
    /// The rules that a type cannot express.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all faults.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let rules = [
            ("keystore.max_devices", (1..=127).contains(&self.max_devices), "is a number from 1 to 127"),
            (
                "keystore.max_one_time_keys",
                self.max_one_time_keys >= 100,
                "is 100 at least: one request's worth",
            ),
            ("keystore.tombstone_days", self.tombstone_days > 0, "is 1 at least"),
            ("keystore.sweep_interval", !self.sweep_interval.is_zero(), "must be above 0"),
        ];
        let faults: Vec<Fault> = rules
            .into_iter()
            .filter(|(_, holds, _)| !holds)
            .map(|(place, _, rule)| Fault::new(place, rule))
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }

    /// How long keys that were given out and deleted accounts are remembered.
    pub(crate) fn tombstone_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.tombstone_days) * 24 * 3600)
    }
}
