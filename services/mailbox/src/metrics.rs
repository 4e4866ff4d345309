//! The series of this service.

use telemetry::prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

telemetry::metrics! {
    /// What mailbox reports.
    pub(crate) struct Metrics("sealpost_mailbox_") {
        /// Sends by outcome: stored, blocked (answered as stored, by the wish of the recipient), online (passed on, not stored), replayed, mismatch, full, refused (any other 4xx), failed.
        sends_total: IntCounterVec = &["outcome"],
        /// Sends that needed a decision, which one statement cannot make: on SQLite all, on PostgreSQL few.
        sends_decided_total: IntCounter,
        /// Envelopes stored.
        envelopes_stored_total: IntCounter,
        /// Envelopes removed because their device acked them.
        envelopes_acked_total: IntCounter,
        /// Envelopes removed because nobody fetched them in time.
        envelopes_expired_total: IntCounter,
        /// Envelopes handed out, by way: poll, socket (more than were stored: some came again), online (never stored).
        envelopes_delivered_total: IntCounterVec = &["way"],
        /// Messages of Woosh by what became of them: stored, removed (by their recipients), expired.
        woosh_messages_total: IntCounterVec = &["outcome"],
        /// Messages of signal_server by what became of them: stored, removed (by their recipients), expired.
        signal_server_messages_total: IntCounterVec = &["outcome"],
        /// Sends and acks that shared one transaction.
        batch_jobs: Histogram = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
        /// Sends and acks that wait for their transaction.
        queued_jobs: IntGauge,
        /// Devices with an open websocket.
        sockets: IntGauge,
        /// Websockets closed by this service, by close code.
        sockets_closed_total: IntCounterVec = &["code"],
    }
}
