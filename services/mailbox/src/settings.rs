//! The `[mailbox]` section.

use std::time::Duration;

use config::{ConfigError, Fault};
use serde::Deserialize;

/// The longest content that `max_content_bytes` may allow: what a request body has room for, times the devices.
pub(crate) const CONTENT_CEILING: usize = 256 * 1024;

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailboxSettings {
    /// Largest content of one envelope in bytes, decoded; a larger one is refused with 413. 256 KiB at most.
    pub max_content_bytes: usize,
    /// Most envelopes in one mailbox, and messages in one inbox of Woosh or queue of signal_server; a send beyond it is
    /// refused with 507.
    pub max_envelopes: u32,
    /// Most bytes of content in one mailbox, inbox or queue; a send beyond it is refused with 507.
    pub max_bytes: u64,
    /// How long an envelope waits for its device, and a message of Woosh or signal_server for its recipient.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// How long the answer to an `Idempotency-Key` is kept.
    #[serde(with = "humantime_serde")]
    pub idempotency_ttl: Duration,
    /// How long it is remembered that a device or an account is gone, so that nothing late opens it again.
    #[serde(with = "humantime_serde")]
    pub tombstone_ttl: Duration,
    /// Accounts that one account may block.
    pub max_blocks: u32,
    /// Age from which an envelope for connected devices only is dropped on its way.
    #[serde(with = "humantime_serde")]
    pub online_ttl: Duration,
    /// How long a ticket for a websocket can be used.
    #[serde(with = "humantime_serde")]
    pub ticket_ttl: Duration,
    /// Envelopes that a websocket may owe an answer for.
    pub window: usize,
    /// Bytes of content that a websocket may owe an answer for, and that one page holds; one envelope always fits.
    pub window_bytes: usize,
    /// How often all websockets are compared with their mailboxes without being told of anything: for hints that were
    /// lost.
    #[serde(with = "humantime_serde")]
    pub recheck: Duration,
    /// The same, while the broker that carries hints between processes is away.
    #[serde(with = "humantime_serde")]
    pub recheck_away: Duration,
    /// How often it is looked whether the other processes on the same database still live.
    #[serde(with = "humantime_serde")]
    pub process_check: Duration,
    /// Connections and disconnections of devices in one transaction at most.
    pub claim_batch: usize,
    /// Connections and disconnections that may wait for their transaction; a connection beyond it is closed with 1013.
    pub claim_queue: usize,
    /// Silence after which a websocket is pinged.
    #[serde(with = "humantime_serde")]
    pub ping: Duration,
    /// Silence after which a websocket is given up.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Recipients of one batch of sends at most.
    pub batch_recipients: usize,
    /// Sends and acks in one transaction at most.
    pub batch: usize,
    /// Sends and acks that may wait for their transaction; more are answered 503.
    pub queue: usize,
    /// How often what has expired is removed.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// Rows that are removed in one transaction when they have expired.
    pub sweep_batch: u32,
}

impl Default for MailboxSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            max_content_bytes: 96 * 1024,
            max_envelopes: 10_000,
            max_bytes: 64 * 1024 * 1024,
            ttl: 30 * DAY,
            idempotency_ttl: DAY,
            tombstone_ttl: 90 * DAY,
            max_blocks: 1000,
            online_ttl: Duration::from_secs(10),
            ticket_ttl: Duration::from_secs(30),
            window: 256,
            window_bytes: 4 * 1024 * 1024,
            recheck: Duration::from_secs(300),
            recheck_away: Duration::from_secs(2),
            process_check: Duration::from_secs(5),
            claim_batch: 256,
            claim_queue: 65_536,
            ping: Duration::from_secs(30),
            idle: Duration::from_secs(90),
            batch_recipients: 100,
            batch: 64,
            queue: 1024,
            sweep_every: Duration::from_secs(60),
            sweep_batch: 500,
        }
    }
}

impl MailboxSettings {
    /// The rules that a type cannot express.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all faults.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, place: &str, rule: &str| {
            if !holds {
                faults.push(Fault::new(format!("mailbox.{place}"), rule));
            }
        };
        let content = 1..=CONTENT_CEILING;
        check(content.contains(&self.max_content_bytes), "max_content_bytes", "is within 1..=262144");
        let room = u64::try_from(self.max_content_bytes).is_ok_and(|content| content <= self.max_bytes);
        check(
            room && self.max_bytes < 1 << 40,
            "max_bytes",
            "holds one content at least, and is below 1 TiB",
        );
        check(self.idle > self.ping && !self.ping.is_zero(), "idle", "is longer than ping, which is above 0");
        let counts = [
            (u64::from(self.max_envelopes), "max_envelopes"),
            (self.window as u64, "window"),
            (self.window_bytes as u64, "window_bytes"),
            (self.claim_batch as u64, "claim_batch"),
            (self.claim_queue as u64, "claim_queue"),
            (self.batch_recipients as u64, "batch_recipients"),
            (self.batch as u64, "batch"),
            (self.queue as u64, "queue"),
            (u64::from(self.sweep_batch), "sweep_batch"),
        ];
        for (count, place) in counts {
            check((1..=u64::from(u32::MAX)).contains(&count), place, "is within 1..=4294967295");
        }
        let times = [
            (self.ttl, "ttl"),
            (self.idempotency_ttl, "idempotency_ttl"),
            (self.tombstone_ttl, "tombstone_ttl"),
            (self.online_ttl, "online_ttl"),
            (self.ticket_ttl, "ticket_ttl"),
            (self.recheck, "recheck"),
            (self.recheck_away, "recheck_away"),
            (self.process_check, "process_check"),
            (self.sweep_every, "sweep_every"),
        ];
        for (time, place) in times {
            check(!time.is_zero(), place, "is above 0");
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_together() {
        let settings = MailboxSettings {
            max_content_bytes: 0,
            window: 0,
            idle: Duration::from_secs(1),
            ttl: Duration::ZERO,
            ..MailboxSettings::default()
        };

        let error = settings.validate().unwrap_err();

        let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["mailbox.max_content_bytes", "mailbox.idle", "mailbox.window", "mailbox.ttl"]);
        assert!(MailboxSettings::default().validate().is_ok());
    }
}
