//! The events of one session or provider, and the way of what it says into the tables.
//!
//! What must hold: a deliver_sm is answered OK only when its receipt, or the message that it brings, is committed; what a session reports about a
//! segment is stored, however often it takes; whatever was handed over is settled before the process ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use smpp::codec::{CommandStatus, DeliverSm};
use smpp::esme::{BindKind, Delivery, Event};
use telemetry::prometheus::IntGauge;
use tokio_util::sync::CancellationToken;

use super::events::{Events, Heard};
use super::submitter::Submitter;
use super::{HTTP, Link, http};
use crate::domain::attempt::PartEvent;
use crate::domain::outcome::Refusal;
use crate::domain::provider::Verdict;
use crate::pipeline::outcomes::{Backoff, Flight, read_receipt, reads_like_receipt, unwritable};
use crate::pipeline::{Gateway, inbound};
use crate::store::receipts::{Outcome, Receipt};

/// Pause before outcomes that could not be stored are stored again.
const RETRY: Duration = Duration::from_millis(500);

/// A bind, or a provider, whose events are to be read.
pub(crate) struct Session {
    link: Arc<Link>,
    submitter: Submitter,
    events: Events,
    /// Which bind; none of a provider.
    kind: Option<BindKind>,
}

impl Session {
    pub(super) fn new(link: Arc<Link>, submitter: Submitter, events: Events, kind: Option<BindKind>) -> Self {
        Self { link, submitter, events, kind }
    }

    /// Gives the SMSC.
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Reads the session's events and stores them, until the session was ended and all is settled.
    pub(crate) async fn run(self, gateway: Arc<Gateway>, quiet: CancellationToken) -> Result<(), Infallible> {
        let Self { link, submitter, mut events, kind } = self;
        // From the start, as an SMSC that was never reached is to be noticed.
        let bound = gateway
            .metrics
            .bound
            .with_label_values(&[link.name.as_str(), kind.map_or(HTTP, BindKind::as_str)]);
        let end = async {
            quiet.cancelled().await;
            submitter.shutdown().await;
        };
        tokio::pin!(end);
        let mut ending = false;
        let mut batch = Vec::new();
        let mut unstored = Vec::new();
        loop {
            tokio::select! {
                read = events.recv_many(&mut batch) => if read == 0 { break },
                () = &mut end, if !ending => ending = true,
                () = tokio::time::sleep(RETRY), if !unstored.is_empty() => {}
            }
            link.round((&gateway, &bound), &mut batch, &mut unstored).await;
        }
        let now = gateway.now();
        let backoff = Backoff::new(&gateway.settings);
        let abandoned = if kind != Some(BindKind::Receiver) { link.flights.abandon() } else { Vec::new() };
        unstored.extend(abandoned.iter().map(|flight| link.outcome(flight, backoff.not_sent(now))));
        // What cannot be stored is told as unknown after a minute, also where the SMSC has answered. How long there is to try
        // is for the drain to say.
        while !unstored.is_empty() {
            link.round((&gateway, &bound), &mut batch, &mut unstored).await;
            if !unstored.is_empty() {
                tokio::time::sleep(RETRY).await;
            }
        }
        Ok(())
    }
}

impl Link {
    /// Stores what came in, together with what could not be stored before.
    async fn round(
        &self,
        (gateway, bound): (&Gateway, &IntGauge),
        batch: &mut Vec<Heard>,
        unstored: &mut Vec<Outcome>,
    ) {
        let mut outcomes = std::mem::take(unstored);
        let (mut deliveries, mut inbound) = (Vec::new(), Vec::new());
        for event in batch.drain(..) {
            match event {
                Heard::Smpp(Event::Deliver(delivery)) if self.is_receipt(&delivery.message) => {
                    deliveries.extend(self.delivery(gateway, delivery));
                }
                Heard::Smpp(Event::Deliver(delivery)) => {
                    let task = inbound::read(&self.name, self.form.alphabet, &delivery);
                    inbound.push((delivery, task));
                }
                Heard::Smpp(event) => self.translate((gateway, bound), event, &mut outcomes),
                Heard::Http(event) => outcomes.extend(self.landed(gateway, event)),
            }
        }
        // What has landed leaves room: the next jobs are claimed while the outcomes are stored.
        gateway.work.notify_one();
        gateway.take_inbound(&self.name, inbound).await;
        if outcomes.is_empty() && deliveries.is_empty() {
            return;
        }
        let receipts = deliveries.iter().map(|(_, receipt)| Outcome::Receipt(receipt.clone()));
        let batch: Vec<Outcome> = outcomes.iter().cloned().chain(receipts).collect();
        let mut responses = gateway.outcomes.submit_many(batch).await;
        let receipts = responses.split_off(outcomes.len());
        let (mut published, mut failure) = (Vec::new(), None);
        for (outcome, settled) in outcomes.into_iter().zip(responses) {
            match settled {
                Ok(settled) => {
                    settled.follow();
                    published.extend(settled.statuses);
                }
                Err(error) => {
                    failure = Some(error);
                    unstored.push(outcome);
                }
            }
        }
        for ((delivery, _), settled) in deliveries.into_iter().zip(receipts) {
            let (status, outcome) = match settled {
                Ok(settled) => {
                    settled.follow();
                    if let Some(waited) = settled.waited {
                        let waits = gateway.metrics.receipt_seconds.with_label_values(&[self.name.as_str()]);
                        waits.observe(waited.as_secs_f64());
                    }
                    published.extend(settled.statuses);
                    (CommandStatus::ROK, if settled.parked { "parked" } else { "matched" })
                }
                Err(error) => {
                    failure = Some(error);
                    (CommandStatus::RX_T_APPN, "refused")
                }
            };
            delivery.answer(status);
            gateway.metrics.receipts_total.with_label_values(&[self.name.as_str(), outcome]).inc();
        }
        gateway.announcer.announce(&published);
        if let Some(error) = failure {
            let outcomes = unstored.len();
            tracing::warn!(smsc = %self.name, %error, outcomes, "what the SMSC said cannot be stored now");
        }
    }

    /// Adds what an event says of segments.
    fn translate(&self, (gateway, bound): (&Gateway, &IntGauge), event: Event, outcomes: &mut Vec<Outcome>) {
        let now = gateway.now();
        let backoff = Backoff::new(&gateway.settings);
        let mut add = |flight: Option<Flight>, event: &dyn Fn(&Flight) -> PartEvent| {
            let Some(flight) = flight else { return };
            let event = event(&flight);
            outcomes.push(self.counted(gateway, &flight, event));
        };
        match event {
            Event::Responded(response) | Event::LateResponse(response) => {
                self.took(gateway, response.took);
                let flight = self.flights.land(response.token);
                add(flight, &|flight| backoff.response(response.clone(), flight, now));
            }
            Event::Unknown { token } => add(self.flights.lose(token), &|_| PartEvent::Unknown),
            Event::NotSent { token } => add(self.flights.land(token), &|_| backoff.not_sent(now)),
            Event::Invalid { token, error } => {
                tracing::error!(smsc = %self.name, %error, "a segment does not fit a submit_sm");
                add(self.flights.land(token), &|_| unwritable());
            }
            Event::Bound { system_id } => {
                tracing::info!(smsc = %self.name, smsc.system_id = %system_id, "bound");
                bound.inc();
                gateway.work.notify_one();
            }
            Event::Unbound { reason, in_flight } => {
                tracing::warn!(smsc = %self.name, %reason, in_flight = in_flight.len(), "unbound");
                bound.dec();
                for lost in in_flight {
                    let flight = self.flights.land(lost.token);
                    if !lost.reported {
                        add(flight, &|_| PartEvent::Unknown);
                    }
                }
            }
            Event::Deliver(_) => {}
        }
    }

    /// Says what an event of a provider means.
    fn landed(&self, gateway: &Gateway, event: http::Event) -> Option<Outcome> {
        let http::Event { token, landing, took } = event;
        if matches!(&landing, http::Landing::Answered(verdict) if !matches!(verdict, Verdict::Unknown { .. }))
        {
            self.took(gateway, took);
        }
        let flight = self.flights.land(token)?;
        let (now, backoff) = (gateway.now(), Backoff::new(&gateway.settings));
        let event = match landing {
            http::Landing::NotSent => backoff.not_sent(now),
            http::Landing::Answered(Verdict::Accepted { message_id }) => PartEvent::Accepted { message_id },
            http::Landing::Answered(Verdict::Refused { text }) => PartEvent::Refused(Refusal::Answer(text)),
            http::Landing::Answered(Verdict::Throttled { pause }) => {
                backoff.throttled((&flight, token), pause.unwrap_or_default(), now)
            }
            http::Landing::Answered(Verdict::Unknown { .. }) => PartEvent::Unknown,
        };
        Some(self.counted(gateway, &flight, event))
    }

    /// Takes down how long an answer took.
    fn took(&self, gateway: &Gateway, took: Duration) {
        let of_smsc = || gateway.metrics.response_seconds.with_label_values(&[self.name.as_str()]);
        self.responses.get_or_init(of_smsc).observe(took.as_secs_f64());
    }

    fn counted(&self, gateway: &Gateway, flight: &Flight, event: PartEvent) -> Outcome {
        let labels = [self.name.as_str(), event.as_str()];
        gateway.metrics.outcomes_total.with_label_values(&labels).inc();
        self.judge(&event);
        self.outcome(flight, event)
    }

    fn outcome(&self, flight: &Flight, event: PartEvent) -> Outcome {
        Outcome::Response {
            smsc: self.name.clone(),
            key: flight.key.clone(),
            part: flight.part,
            copy: flight.copy,
            tries: flight.tries,
            event,
        }
    }

    fn is_receipt(&self, message: &DeliverSm) -> bool {
        message.is_receipt() || self.receipts_by_text && reads_like_receipt(message)
    }

    /// Reads a receipt.
    fn delivery(&self, gateway: &Gateway, delivery: Delivery) -> Option<(Delivery, Receipt)> {
        let Some((message_id, fate)) = read_receipt(&delivery.message) else {
            gateway.metrics.receipts_total.with_label_values(&[self.name.as_str(), "unreadable"]).inc();
            tracing::warn!(smsc = %self.name, "a receipt names no message");
            delivery.answer(CommandStatus::ROK);
            return None;
        };
        let receipt = Receipt {
            parked: None,
            widely: false,
            smsc: self.name.clone(),
            message_id,
            fate,
            recipient: gateway.recipients.hash(&delivery.message.source.value),
            received_at: gateway.now(),
        };
        Some((delivery, receipt))
    }
}
