//! What an ESME counts.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::pace::Pace;

/// Counters and gauges of one ESME since it was spawned.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EsmeStats {
    /// Requests without a response now.
    pub in_flight: usize,
    /// Submissions that wait for a slot now.
    pub queued: usize,
    /// Binds that stood.
    pub binds: u64,
    /// PDUs that could not be read, or that nobody waited for.
    pub unexpected: u64,
    /// Submissions a second that are allowed now: what was agreed, or less after throttling; `None` for no limit.
    pub rate: Option<f64>,
    /// Whether the bind pauses now, because the SMSC throttled.
    pub paused: bool,
    /// Such pauses.
    pub pauses: u64,
    /// Submissions that were refused as throttled or for a full queue.
    pub throttled: u64,
}

/// The driver's side of [`EsmeStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) in_flight: AtomicUsize,
    pub(super) binds: AtomicU64,
    pub(super) unexpected: AtomicU64,
    /// The bits of an `f64`; zero, which no rate is, for no limit.
    rate: AtomicU64,
    paused: AtomicBool,
    pauses: AtomicU64,
    throttled: AtomicU64,
}

impl Counters {
    /// Takes over how fast it goes now.
    pub(super) fn show(&self, pace: &Pace, now: Instant) {
        self.rate.store(pace.rate().unwrap_or_default().to_bits(), Ordering::Relaxed);
        self.paused.store(pace.is_paused(now), Ordering::Relaxed);
        self.pauses.store(pace.pauses_total(), Ordering::Relaxed);
        self.throttled.store(pace.throttled_total(), Ordering::Relaxed);
    }

    pub(super) fn stats(&self, queued: usize) -> EsmeStats {
        EsmeStats {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            queued,
            binds: self.binds.load(Ordering::Relaxed),
            unexpected: self.unexpected.load(Ordering::Relaxed),
            rate: Some(f64::from_bits(self.rate.load(Ordering::Relaxed))).filter(|&rate| rate > 0.0),
            paused: self.paused.load(Ordering::Relaxed),
            pauses: self.pauses.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
        }
    }
}
