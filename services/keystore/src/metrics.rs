//! The series of this service.

use telemetry::prometheus::{IntCounter, IntCounterVec, IntGauge};

telemetry::metrics! {
    /// What keystore reports.
    pub(crate) struct Metrics("sealpost_keystore_") {
        /// Devices that became active, repetitions included.
        registrations_total: IntCounter,
        /// Devices that were removed, replaced or given up.
        removals_total: IntCounter,
        /// Devices in bundles that were fetched.
        bundles_total: IntCounter,
        /// Devices left out of bundles since they have lost their last-resort key: anything above 0 is a fault.
        bundles_withheld_total: IntCounter,
        /// Prekeys given out, by kind: ec, pq, last_resort, signal_server.
        keys_issued_total: IntCounterVec = &["kind"],
        /// Keys refused, by reason: form, signature.
        keys_refused_total: IntCounterVec = &["reason"],
        /// One-time keys that came again after they had been given out.
        keys_already_used_total: IntCounter,
        /// Devices found half open or half closed when last looked for.
        unfinished_devices: IntGauge,
    }
}
