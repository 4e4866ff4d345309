//! The outbox relay of a service, as a task with gauges.
//!
//! There is no readiness check for it: a service whose events wait still does its work, and taking its pods out of
//! service would publish nothing sooner.

use std::convert::Infallible;
use std::time::Duration;

use bus::outbox::{Relay, RelaySettings};
use common::models::SharedClock;
use db::Db;
use telemetry::prometheus::IntGauge;
use web::{Service, Task};

use crate::error::StartError;
use crate::platform::Platform;

/// How often the backlog is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

telemetry::metrics! {
    /// What waits for publication.
    struct Gauges("sealpost_outbox_") {
        /// Outbox rows that are committed and not yet confirmed by the bus.
        pending: IntGauge,
        /// Age of the oldest outbox row that waits; 0 when none does.
        oldest_seconds: IntGauge,
    }
}

/// Adds the relay of the outbox in `db` to `service`. Wake the relay that is returned after each commit that pushed.
///
/// # Errors
/// [`StartError::Metrics`] when called twice for one service.
pub fn publish_outbox(service: &mut Service, platform: &Platform, db: &Db) -> Result<Relay, StartError> {
    let gauges = Gauges::register(&service.metrics)?;
    let clock = platform.clock.clone();
    let settings =
        RelaySettings { retention: platform.settings.bus.outbox_retention, ..RelaySettings::default() };
    let relay = Relay::new(db.clone(), platform.bus.producer(), clock.clone(), settings);
    let running = relay.clone();
    service.tasks.push(Task::new("outbox", move |cancel| async move {
        tokio::select! {
            // The relay ends when it is told to, after the batch at hand.
            () = running.run(cancel) => {}
            () = measure(&running, &gauges, &clock) => {}
        }
        Ok::<(), Infallible>(())
    }));
    Ok(relay)
}

async fn measure(relay: &Relay, gauges: &Gauges, clock: &SharedClock) {
    loop {
        // A database that is away is told by its check and by the relay; the gauges keep what they showed.
        if let Ok(backlog) = relay.backlog().await {
            gauges.pending.set(backlog.pending);
            let age = backlog.oldest.map_or(0, |oldest| (clock.now() - oldest).as_secs());
            gauges.oldest_seconds.set(i64::try_from(age).unwrap_or(i64::MAX));
        }
        tokio::time::sleep(MEASURE_EVERY).await;
    }
}
