//! The series of this service.

use telemetry::prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

telemetry::metrics! {
    /// What relay reports.
    pub(crate) struct Metrics("sealpost_relay_") {
        /// SMS handed in, by outcome: stored, duplicate, undecodable, not_the_senders, failed.
        incoming_total: IntCounterVec = &["outcome"],
        /// SMS that wait for the publisher.
        incoming_waiting: IntGauge,
        /// SMS that waited longer than `relay.publish_max_age`, and are kept.
        incoming_dead: IntGauge,
        /// Attempts to hand an SMS to the publisher, by outcome: published, refused, away, dead.
        publishes_total: IntCounterVec = &["outcome"],
        /// SMS for modems, by outcome: queued, unroutable, failed.
        outgoing_total: IntCounterVec = &["outcome"],
        /// Questions of RabbitMQ, by answer: allow, deny.
        broker_questions_total: IntCounterVec = &["answer"],
        /// Whether there is a connection to RabbitMQ: 0 or 1; absent where none is configured.
        broker_connected: IntGaugeVec = &[],
    }
}

impl Metrics {
    /// Tells whether there is a connection to RabbitMQ; not to be called where none is configured.
    pub(crate) fn set_broker_connected(&self, connected: bool) {
        self.broker_connected.with_label_values::<&str>(&[]).set(connected.into());
    }
}
