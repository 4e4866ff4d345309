//! The binds: one session per SMSC, and the way of what it says into the tables.
//!
//! What must hold: a deliver_sm is answered OK only when its receipt is committed; what a session reports about a
//! segment is stored, however often it takes; whatever was handed over is settled before the process ends.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use smpp::codec::CommandStatus;
use smpp::esme::{BindKind, Delivery, Esme, EsmeSettings, EsmeState, Event, Password, Submission};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::outcomes::{Backoff, Flight, Flights, read_receipt, unwritable};
use crate::domain::attempt::PartEvent;
use crate::settings::{Bind, Settings, SmscSettings};
use crate::store::receipts::{Outcome, Receipt};

/// Events of one round at most.
const ROUND: usize = 256;
/// Pause before outcomes that could not be stored are stored again.
const RETRY: Duration = Duration::from_millis(500);
/// Rounds in which outcomes are still tried to be stored when the session has ended.
const LAST_TRIES: usize = 10;
/// With a limit on submissions a second: so many seconds' worth is handed over ahead.
const AHEAD_SECS: f64 = 5.0;

/// One bind.
pub(crate) struct Link {
    /// Name of the SMSC.
    pub(crate) name: String,
    esme: Esme,
    flights: Flights,
    ahead: usize,
    submits: bool,
}

impl Link {
    fn spawn(settings: &SmscSettings, common: &Settings) -> Session {
        let tps = Some(settings.tps).filter(|tps| *tps > 0.0);
        let (esme, events) = Esme::spawn(EsmeSettings {
            name: settings.name.clone(),
            host: settings.host.clone(),
            port: settings.port,
            system_id: settings.system_id.clone(),
            password: Password::new(settings.password.expose().as_str()),
            system_type: settings.system_type.clone(),
            kind: match settings.bind {
                Bind::Transceiver => BindKind::Transceiver,
                Bind::Transmitter => BindKind::Transmitter,
                Bind::Receiver => BindKind::Receiver,
            },
            window: settings.window,
            tps,
            throttle_pause: common.throttle_backoff,
            throttle_pause_max: common.throttle_backoff_max,
            response_timeout: settings.response_timeout,
            enquire_link: settings.enquire_link,
            reconnect_min: settings.reconnect,
            reconnect_max: settings.reconnect_max,
            ..EsmeSettings::default()
        });
        // Enough to keep the window full while the next batch is claimed, and no more: what waits here for long could
        // not be told from what the SMSC does not answer.
        let window = settings.window.saturating_mul(2);
        let ahead = tps.map_or(window, |tps| window.min((tps * AHEAD_SECS).ceil() as usize)).max(1);
        let submits = settings.bind != Bind::Receiver;
        let link = Self { name: settings.name.clone(), esme, flights: Flights::default(), ahead, submits };
        Session { link: Arc::new(link), events }
    }

    /// Tells whether submissions can go out now.
    fn is_usable(&self) -> bool {
        self.submits && self.esme.state() == EsmeState::Bound
    }

    /// Counts the segments that may be handed over now.
    pub(crate) fn room(&self) -> usize {
        self.ahead.saturating_sub(self.flights.open())
    }

    /// Registers a segment for its outcome.
    pub(crate) fn register(&self, flight: Flight) -> u64 {
        self.flights.register(flight)
    }

    /// Hands registered segments to the session. What a session that has ended did not take is settled by
    /// [`Session::run`].
    pub(crate) async fn submit(&self, submissions: Vec<Submission>) {
        if self.esme.submit(submissions).await.is_err() {
            tracing::debug!(smsc = %self.name, "the session ended before it took all submissions");
        }
    }
}

/// All binds, in order of preference.
pub(crate) struct Links {
    links: Vec<Arc<Link>>,
    alarm_since: Mutex<Option<Instant>>,
    /// Nothing more will be handed over.
    pub(crate) quiet: CancellationToken,
}

impl Links {
    /// Starts the sessions of all configured SMSCs: they bind at once and stay bound.
    pub(crate) fn spawn(settings: &Settings) -> (Self, Vec<Session>) {
        let spawned: Vec<Session> = settings.smsc.iter().map(|smsc| Link::spawn(smsc, settings)).collect();
        let links = spawned.iter().map(|session| session.link.clone()).collect();
        (Self { links, alarm_since: Mutex::default(), quiet: CancellationToken::new() }, spawned)
    }

    /// Gives the first one that can submit.
    pub(crate) fn usable(&self) -> Option<&Arc<Link>> {
        self.links.iter().find(|link| link.is_usable())
    }

    /// While every SMSC refuses our credentials: what one said, and since when. To be asked again and again.
    pub(crate) fn alarm(&self) -> Option<(CommandStatus, Instant)> {
        let mut since = self.alarm_since.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refusal = None;
        for link in &self.links {
            match link.esme.state() {
                EsmeState::Alarm { status } => refusal = Some(status),
                // The next try, which may well be refused again.
                EsmeState::Connecting if since.is_some() => {}
                _ => {
                    *since = None;
                    return None;
                }
            }
        }
        let status = refusal?;
        Some((status, *since.get_or_insert_with(Instant::now)))
    }
}

/// A bind whose events are to be read.
pub(crate) struct Session {
    link: Arc<Link>,
    events: mpsc::Receiver<Event>,
}

impl Session {
    /// Reads the session's events and stores them, until the session was ended and all is settled.
    pub(crate) async fn run(self, gateway: Arc<Gateway>, quiet: CancellationToken) -> Result<(), Infallible> {
        let Self { link, mut events } = self;
        let end = async {
            quiet.cancelled().await;
            link.esme.shutdown().await;
        };
        tokio::pin!(end);
        let mut ending = false;
        let mut batch = Vec::with_capacity(ROUND);
        let mut unstored = Vec::new();
        loop {
            tokio::select! {
                read = events.recv_many(&mut batch, ROUND) => if read == 0 { break },
                () = &mut end, if !ending => ending = true,
                () = tokio::time::sleep(RETRY), if !unstored.is_empty() => {}
            }
            link.round(&gateway, &mut batch, &mut unstored).await;
        }
        let now = gateway.now();
        let backoff = Backoff::new(&gateway.settings);
        let abandoned = link.flights.abandon();
        unstored.extend(abandoned.iter().map(|flight| link.outcome(flight, backoff.not_sent(now))));
        for _ in 0..LAST_TRIES {
            link.round(&gateway, &mut batch, &mut unstored).await;
            if unstored.is_empty() {
                break;
            }
            tokio::time::sleep(RETRY).await;
        }
        Ok(())
    }
}

impl Link {
    /// Stores what came in, together with what could not be stored before.
    async fn round(&self, gateway: &Gateway, batch: &mut Vec<Event>, unstored: &mut Vec<Outcome>) {
        let mut outcomes = std::mem::take(unstored);
        let mut deliveries = Vec::new();
        for event in batch.drain(..) {
            match event {
                Event::Deliver(delivery) => deliveries.extend(self.delivery(gateway, delivery)),
                event => self.translate(gateway, event, &mut outcomes),
            }
        }
        if outcomes.is_empty() && deliveries.is_empty() {
            return;
        }
        let responses = join_all(outcomes.iter().map(|outcome| gateway.outcomes.submit(outcome.clone())));
        let receipts = join_all(
            deliveries.iter().map(|(_, receipt)| gateway.outcomes.submit(Outcome::Receipt(receipt.clone()))),
        );
        let (responses, receipts) = futures_util::future::join(responses, receipts).await;
        for (outcome, settled) in outcomes.into_iter().zip(responses) {
            match settled {
                Ok(settled) => gateway.announcer.announce(&settled.statuses),
                Err(error) => {
                    tracing::warn!(smsc = %self.name, %error, "an outcome cannot be stored now");
                    unstored.push(outcome);
                }
            }
        }
        for ((delivery, _), settled) in deliveries.into_iter().zip(receipts) {
            let (status, outcome) = match settled {
                Ok(settled) => {
                    gateway.announcer.announce(&settled.statuses);
                    (CommandStatus::ROK, if settled.parked { "parked" } else { "matched" })
                }
                Err(error) => {
                    tracing::warn!(smsc = %self.name, %error, "a receipt cannot be stored now");
                    (CommandStatus::RX_T_APPN, "refused")
                }
            };
            delivery.answer(status);
            gateway.metrics.receipts_total.with_label_values(&[&self.name, outcome]).inc();
        }
        gateway.work.notify_one();
    }

    /// Adds what an event says of segments.
    fn translate(&self, gateway: &Gateway, event: Event, outcomes: &mut Vec<Outcome>) {
        let now = gateway.now();
        let backoff = Backoff::new(&gateway.settings);
        let bound = gateway.metrics.bound.with_label_values(&[&self.name]);
        let mut add = |flight: Option<Flight>, event: &dyn Fn(&Flight) -> PartEvent| {
            let Some(flight) = flight else { return };
            let event = event(&flight);
            let labels = [self.name.as_str(), name(&event)];
            gateway.metrics.outcomes_total.with_label_values(&labels).inc();
            outcomes.push(self.outcome(&flight, event));
        };
        match event {
            Event::Responded(response) | Event::LateResponse(response) => {
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
                bound.set(1);
                gateway.work.notify_one();
            }
            Event::Unbound { reason, in_flight } => {
                tracing::warn!(smsc = %self.name, %reason, in_flight = in_flight.len(), "unbound");
                bound.set(0);
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

    fn outcome(&self, flight: &Flight, event: PartEvent) -> Outcome {
        Outcome::Response {
            smsc: self.name.clone(),
            key: flight.key.clone(),
            part: flight.part,
            copy: flight.copy,
            event,
        }
    }

    /// Reads a receipt. What is none is answered at once.
    fn delivery(&self, gateway: &Gateway, delivery: Delivery) -> Option<(Delivery, Receipt)> {
        if !delivery.message.is_receipt() {
            gateway.metrics.inbound_total.with_label_values(&[&self.name]).inc();
            delivery.answer(CommandStatus::ROK);
            return None;
        }
        let Some((message_id, fate)) = read_receipt(&delivery.message) else {
            gateway.metrics.receipts_total.with_label_values(&[&self.name, "unreadable"]).inc();
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

fn name(event: &PartEvent) -> &'static str {
    match event {
        PartEvent::Accepted { .. } => "accepted",
        PartEvent::Refused(_) => "refused",
        PartEvent::Throttled { .. } => "throttled",
        PartEvent::NotSent { .. } => "not_sent",
        PartEvent::Unknown => "unknown",
        PartEvent::Receipt(_) => "receipt",
    }
}
