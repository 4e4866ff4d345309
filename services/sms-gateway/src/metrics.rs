//! What the gateway counts, stage by stage.

use telemetry::prometheus::{
    GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
};

telemetry::metrics! {
    /// Series of the gateway.
    pub(crate) struct Metrics("sealpost_sms_") {
        /// Requests taken, by what became of them: queued, looping, refused, replay, duplicate, dead.
        requests_total: IntCounterVec = &["outcome"],
        /// Messages decrypted.
        opened_total: IntCounter,
        /// Time to decrypt and read the messages of one batch.
        open_seconds: Histogram = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0],
        /// Time from the records of one batch to its commit.
        intake_seconds: Histogram = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0],
        /// Requests of clients that are allowed but have no key in the vault.
        keys_missing_total: IntCounter,
        /// Statuses published, by status.
        statuses_total: IntCounterVec = &["status"],
        /// Jobs that wait to be submitted.
        queued: IntGauge,
        /// How many seconds ago the oldest of them was taken in; 0 when none waits.
        queued_oldest_seconds: IntGauge,
        /// Segments handed to an SMSC's session.
        submitted_total: IntCounterVec = &["smsc"],
        /// The same by the route that they take.
        routed_total: IntCounterVec = &["route"],
        /// The part of its weight in its routes that an SMSC keeps, by what became of its last submissions: 1 is all.
        health: GaugeVec = &["smsc"],
        /// What became of segments: accepted, refused, throttled, not_sent, unknown.
        outcomes_total: IntCounterVec = &["smsc", "outcome"],
        /// Receipts, by what became of them: matched, parked, unreadable, refused.
        receipts_total: IntCounterVec = &["smsc", "outcome"],
        /// Messages from handsets and their parts, by what became of them: kept (parts are missing), published,
        /// repeated, keyword (a word to nobody in particular), unowned, keyless (the owner has no key), refused.
        inbound_total: IntCounterVec = &["smsc", "outcome"],
        /// Messages from handsets of which parts did not come in time, by what became of the others: published, unowned,
        /// lost (they cannot be decrypted).
        inbound_overdue_total: IntCounterVec = &["outcome"],
        /// Words that opted somebody out or in again: stop, start.
        opt_outs_total: IntCounterVec = &["word"],
        /// Segments that a client has used of its quota in the present day or month.
        quota_used: IntGaugeVec = &["client", "period"],
        /// Segments that a client may send in a day or month; clients without a limit are not shown.
        quota_limit: IntGaugeVec = &["client", "period"],
        /// Messages that were refused as a quota was used up.
        quota_refused_total: IntCounterVec = &["client"],
        /// 1 while the bind stands: transceiver, transmitter, receiver; of a provider over HTTP (http), 1 while it answers.
        bound: IntGaugeVec = &["smsc", "bind"],
        /// 1 while the SMSC refuses our credentials for that bind.
        alarm: IntGaugeVec = &["smsc", "bind"],
        /// 1 while an operator has paused or drained it.
        stopped_by_operator: IntGaugeVec = &["smsc"],
        /// Submissions that wait for their response.
        window_used: IntGaugeVec = &["smsc"],
        /// Submissions that may wait for their response.
        window: IntGaugeVec = &["smsc"],
        /// Time from a submission to its response, also if that came too late to count in time.
        response_seconds: HistogramVec =
            (&["smsc"], &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
        /// Time from when the SMSC was known to have a segment to the first receipt for it.
        receipt_seconds: HistogramVec =
            (&["smsc"], &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0]),
        /// Submissions a second that the SMSC takes at present, as throttling has shown; 0: no limit is known.
        rate: GaugeVec = &["smsc"],
        /// Whether submissions pause, as the SMSC throttled.
        paused: IntGaugeVec = &["smsc"],
        /// Questions for the state of a message, by what became of them: told, undecided, failed.
        queries_total: IntCounterVec = &["smsc", "outcome"],
        /// Messages whose outcome is unknown and may still be told by a response or a receipt.
        unknown: IntGauge,
        /// Receipts that belong to no message that we know.
        receipts_unmatched: IntGauge,
        /// Lines of client logs that were not written.
        client_log_lost_total: IntCounter,
        /// Requests to receivers of webhooks by outcome: delivered, retried, refused, gone.
        webhook_requests_total: IntCounterVec = &["webhook", "outcome"],
        /// Statuses that a receiver will never get, by reason: age (too old), refused (it said so).
        webhook_skipped_total: IntCounterVec = &["webhook", "reason"],
        /// Statuses that wait for a receiver.
        webhook_backlog: IntGaugeVec = &["webhook"],
        /// How many seconds the oldest of them has waited.
        webhook_oldest_seconds: IntGaugeVec = &["webhook"],
        /// 1: the receiver has answered that it wants no statuses (410), until this process is started again.
        webhook_stopped: IntGaugeVec = &["webhook"],
    }
}
