//! Rate limits: token buckets by rule and key.
//!
//! In: a [`Rule`] and whatever is counted by it (an address, an account, a pair of caller and target). Out: a token, or
//! [`RateLimited`] with the time after which there is one, which becomes a 429 with `Retry-After`.
//!
//! What must hold: no key gets more than its bucket has, whatever other keys do, and memory is bounded (see
//! [`sketch`]). Buckets live in this process alone and are full after a restart: what must be exact, or hold across
//! pods (guesses of a code, failed logins of an account), is counted in the database instead.

mod bucket;
mod rules;
mod sketch;

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use common::models::{AsProblem, ProblemKind, SharedClock};
use prometheus::{IntCounterVec, Registry};

use self::sketch::Sketch;
pub use self::{
    bucket::Bucket,
    rules::{BucketSettings, LimitSettings, Rule},
};

telemetry::metrics! {
    /// What the limits report.
    struct Metrics("") {
        /// Requests refused, by the rule of `[limits]` that refused them.
        rate_limited_total: IntCounterVec = &["rule"],
    }
}

/// The buckets of a process. Clones share them.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    enabled: bool,
    buckets: Vec<(Bucket, Mutex<Sketch>)>,
    // Seeded by the system: nobody outside can tell which keys meet in a slot.
    hasher: RandomState,
    clock: SharedClock,
    metrics: Metrics,
}

/// The bucket of a key is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests of this kind; the limit is {}", rule.as_str())]
pub struct RateLimited {
    /// The rule that the request met.
    pub rule: Rule,
    /// When there is a token again.
    pub retry_after: Duration,
}

impl AsProblem for RateLimited {
    fn kind(&self) -> ProblemKind {
        ProblemKind::RateLimited
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.retry_after)
    }
}

impl Limits {
    /// Makes full buckets.
    ///
    /// # Errors
    /// Those of [`prometheus`]: the series are registered there already.
    pub fn new(
        settings: &LimitSettings,
        clock: SharedClock,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let buckets = Rule::ALL.iter().map(|rule| (settings.bucket(*rule), Mutex::default()));
        Ok(Self(Arc::new(Inner {
            enabled: settings.enabled,
            buckets: buckets.collect(),
            hasher: RandomState::new(),
            clock,
            metrics: Metrics::register(registry)?,
        })))
    }

    /// Takes a token from the bucket that `key` has under `rule`.
    ///
    /// An address is given as [`ClientAddr::network`](crate::ClientAddr::network), so that nobody gets fresh buckets by
    /// walking through the addresses of one line.
    ///
    /// # Errors
    /// [`RateLimited`] when the bucket is empty; never with `[limits] enabled = false`.
    pub fn take(&self, rule: Rule, key: impl Hash) -> Result<(), RateLimited> {
        let inner = &*self.0;
        let Some((bucket, sketch)) = inner.buckets.get(rule as usize).filter(|_| inner.enabled) else {
            return Ok(());
        };
        let hash = inner.hasher.hash_one(key);
        let mut sketch = sketch.lock().unwrap_or_else(PoisonError::into_inner);
        sketch.take(*bucket, hash, inner.clock.now()).map_err(|retry_after| {
            inner.metrics.rate_limited_total.with_label_values(&[rule.as_str()]).inc();
            RateLimited { rule, retry_after }
        })
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Limits").field("enabled", &self.0.enabled).finish_non_exhaustive()
    }
}
