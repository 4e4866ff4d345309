//! What the loop counts.

use prometheus::{IntCounter, IntGauge, Opts, Registry, core::Collector};

use super::lanes::Verdict;

/// Series of one worker; clones count into the same ones.
#[derive(Clone)]
pub struct WorkerMetrics {
    /// Records that are done with, dead ones included.
    pub consumed: IntCounter,
    /// Tries that ended with the wish for another.
    pub retried: IntCounter,
    /// Records that went to the dead-letter topic.
    pub dead: IntCounter,
    /// Records that the group has not committed, as last seen. Every member tells the whole group's.
    pub lag: IntGauge,
    /// Readings of the lag that failed; it stands as last seen.
    pub lag_failed: IntCounter,
}

impl WorkerMetrics {
    /// Makes the series `bus_worker_…` with the label `worker`, a fixed name of the worker's role.
    ///
    /// # Errors
    /// The registry has a worker of that name.
    pub fn register(registry: &Registry, worker: &str) -> Result<Self, prometheus::Error> {
        let metrics = Self::named(worker)?;
        let all: [Box<dyn Collector>; 5] = [
            Box::new(metrics.consumed.clone()),
            Box::new(metrics.retried.clone()),
            Box::new(metrics.dead.clone()),
            Box::new(metrics.lag.clone()),
            Box::new(metrics.lag_failed.clone()),
        ];
        all.into_iter().try_for_each(|series| registry.register(series))?;
        Ok(metrics)
    }

    fn named(worker: &str) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("worker", worker);
        Ok(Self {
            consumed: IntCounter::with_opts(opts(
                "bus_worker_consumed_total",
                "Records that are done with.",
            ))?,
            retried: IntCounter::with_opts(opts(
                "bus_worker_retried_total",
                "Tries that are to be repeated.",
            ))?,
            dead: IntCounter::with_opts(opts(
                "bus_worker_dead_total",
                "Records given up to the dead letters.",
            ))?,
            lag: IntGauge::with_opts(opts(
                "bus_worker_lag_records",
                "Records not yet committed by the group, all members together: aggregate by max, not by sum.",
            ))?,
            lag_failed: IntCounter::with_opts(opts(
                "bus_worker_lag_failed_total",
                "Readings of the lag that failed; it stands as last seen.",
            ))?,
        })
    }

    pub(super) fn count(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            match verdict {
                Verdict::Done => self.consumed.inc(),
                Verdict::Dead => {
                    self.consumed.inc();
                    self.dead.inc();
                }
                Verdict::Retry { .. } => self.retried.inc(),
                Verdict::Unreached => {}
            }
        }
    }
}

impl Default for WorkerMetrics {
    /// Counts for nobody.
    #[expect(clippy::expect_used, reason = "the names are constants, and valid; a test makes them")]
    fn default() -> Self {
        Self::named("unregistered").expect("valid names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_different_names_share_a_registry() {
        let registry = Registry::new();

        let (one, two) =
            (WorkerMetrics::register(&registry, "one"), WorkerMetrics::register(&registry, "two"));

        one.and(two).expect("different labels");
        assert!(WorkerMetrics::register(&registry, "one").is_err());
        WorkerMetrics::default().count(&[Verdict::Done]);
    }
}
