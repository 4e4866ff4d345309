//! The series of this service.

use telemetry::prometheus::{IntCounter, IntCounterVec};

telemetry::metrics! {
    /// What auth reports.
    pub(crate) struct Metrics("sealpost_auth_") {
        /// Accounts made.
        registrations_total: IntCounter,
        /// Logins by outcome: ok, refused.
        logins_total: IntCounterVec = &["outcome"],
        /// Refresh tokens that came a second time; each ended its session.
        refresh_reuses_total: IntCounter,
    }
}
