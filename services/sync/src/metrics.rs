//! The series of this service.

use telemetry::prometheus::{IntCounter, IntCounterVec, IntGauge};

telemetry::metrics! {
    /// What sync reports.
    pub(crate) struct Metrics("sealpost_sync_") {
        /// Sessions that were started.
        sessions_total: IntCounter,
        /// Key exchanges by outcome: accepted, refused (any 4xx), failed.
        handshakes_total: IntCounterVec = &["outcome"],
        /// Verifications by outcome: accepted, refused (any 4xx), failed.
        verifications_total: IntCounterVec = &["outcome"],
        /// Websockets that show a session.
        subscribers: IntGauge,
        /// Websockets that this side closed, by close code.
        sockets_closed_total: IntCounterVec = &["code"],
        /// Sessions removed because their time had passed.
        expired_total: IntCounter,
        /// Websockets of new devices that wait for an envelope.
        provisioning_sockets: IntGauge,
        /// Websockets of new devices that ended, by outcome: done, expired, left, refused, failed.
        provisionings_total: IntCounterVec = &["outcome"],
    }
}
