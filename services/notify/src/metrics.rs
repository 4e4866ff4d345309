//! The series of this service.

use telemetry::prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

telemetry::metrics! {
    /// What notify reports.
    pub(crate) struct Metrics("sealpost_notify_") {
        /// Publications by outcome: stored, volatile, replayed, refused (any 4xx), failed.
        publications_total: IntCounterVec = &["outcome"],
        /// Notifications handed to clients, by door: socketio, websocket, events. Those of the history come on top.
        deliveries_total: IntCounterVec = &["door"],
        /// Notifications handed to clients that came back.
        replayed_total: IntCounter,
        /// Joins with an offset, by outcome: recovered, lost (the history does not reach back).
        recoveries_total: IntCounterVec = &["outcome"],
        /// Joins by outcome: joined, refused, failed.
        joins_total: IntCounterVec = &["outcome"],
        /// Sessions in a channel that were ended, by reason: revoked, expired, slow.
        ended_total: IntCounterVec = &["reason"],
        /// Notifications that were read from the history because the live way had not brought them.
        gap_filled_total: IntCounter,
        /// Publications that shared one transaction.
        batch_jobs: Histogram = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
        /// Publications that wait for their transaction.
        queued_jobs: IntGauge,
        /// Clients that are connected, by door.
        clients: IntGaugeVec = &["door"],
        /// Channels with clients here.
        channels: IntGauge,
        /// Pushes by outcome: sent, connected or collapsed (needless), gone, void or forbidden (their subscription was
        /// removed), refused, expired, retried.
        pushes_total: IntCounterVec = &["outcome"],
        /// Requests to receivers of webhooks by outcome: delivered, retried, refused, gone.
        webhook_requests_total: IntCounterVec = &["webhook", "outcome"],
        /// Events that a receiver will never get, by reason: backlog (too many waited), age (too old), refused (it said
        /// so), stopped (it wants none).
        webhook_dead_total: IntCounterVec = &["webhook", "reason"],
        /// Events that wait for a receiver.
        webhook_backlog: IntGaugeVec = &["webhook"],
        /// How many seconds the oldest of them has waited.
        webhook_oldest_seconds: IntGaugeVec = &["webhook"],
        /// 1: the receiver has answered that it wants no events (410), until this process is started again.
        webhook_stopped: IntGaugeVec = &["webhook"],
        /// Notifications removed because their time had passed.
        expired_total: IntCounter,
    }
}
