//! `[sync.provisioning]`: linking of devices.

use std::time::Duration;

use config::Fault;
use serde::Deserialize;

/// Bounds of the websockets on which new devices wait for their envelope.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProvisioningSettings {
    /// How long an address can be written to, and its websocket lives.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// Silence after which a websocket is given up; pings are sent at a third of it.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Websockets of one process; more are answered 503.
    pub max_sockets: usize,
    /// Largest envelope, in bytes; 192 KiB are 256 KiB of base64.
    pub max_envelope_bytes: usize,
    /// How long whoever hands an envelope over waits until the new device's websocket has taken it.
    #[serde(with = "humantime_serde")]
    pub delivery_timeout: Duration,
    /// Between two looks at the table where nothing was told: what tells may be lost with a process or the broker.
    #[serde(with = "humantime_serde")]
    pub recheck: Duration,
}

impl Default for ProvisioningSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(90),
            idle: Duration::from_secs(60),
            max_sockets: 1000,
            max_envelope_bytes: 192 * 1024,
            delivery_timeout: Duration::from_secs(5),
            recheck: Duration::from_secs(1),
        }
    }
}

impl ProvisioningSettings {
    /// The longest life of an address: a QR code on a screen is seen by others, too.
    const MAX_TTL: Duration = Duration::from_secs(300);

    /// Room for the largest envelope there may be, in base64, with a little JSON.
    pub(crate) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024 + 1024;

    /// The rules that a type cannot express.
    pub(super) fn validate(&self, faults: &mut Vec<Fault>) {
        let mut check = |holds: bool, place: &str, rule: &str| {
            if !holds {
                faults.push(Fault::new(format!("sync.provisioning.{place}"), rule));
            }
        };
        let within = !self.ttl.is_zero() && self.ttl <= Self::MAX_TTL;
        check(within, "ttl", "is above 0, and 5 minutes at most");
        check(self.idle >= Duration::from_secs(3), "idle", "is 3 seconds at least");
        let carried = (1..=3 * 1024 * 1024).contains(&self.max_envelope_bytes);
        check(carried, "max_envelope_bytes", "is from 1 to 3 MiB");
        check(self.max_sockets > 0, "max_sockets", "is above 0");
        check(
            self.recheck < self.delivery_timeout && !self.recheck.is_zero(),
            "recheck",
            "is above 0, and below delivery_timeout: an envelope must be found without being told of",
        );
    }
}
