//! The back ends: a session per bind of an SMSC, a task per provider; which of them can take submissions now, how many,
//! and how well they do.

mod events;
mod http;
mod providers;
mod refusals;
mod session;
mod submitter;
mod way;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::models::SharedClock;
use common::models::sms::{SmsState, SmscName};
use smpp::codec::{QuerySm, QuerySmResp};
use smpp::esme::{BindKind, Esme, EsmeSettings, EsmeStats, Password, QueryError};
use smpp::tls::{ClientTls, TlsError, TlsSettings};
use telemetry::prometheus::Histogram;
use tokio_util::sync::CancellationToken;

use super::outcomes::{Flight, Flights};
use crate::domain::attempt::PartEvent;
use crate::domain::message::Form;
use crate::domain::order::Order;
use crate::domain::route::Route;
use crate::domain::route::health::Outcomes;
use crate::settings::{Bind, HealthSettings, Settings, SmscSettings};
use events::Events;
use http::ClientError;
pub(crate) use session::Session;
pub(crate) use submitter::Submission;
use submitter::Submitter;
pub(crate) use way::Way;

/// With a limit on submissions a second: so many seconds' worth is handed over ahead.
const AHEAD_SECS: f64 = 5.0;
/// What a provider has in metrics for the kind of its bind.
pub(crate) const HTTP: &str = "http";
/// A lower rate counts as this.
const LEAST_RATE: f64 = 0.001;

/// Why the back ends cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// Files for TLS towards an SMSC.
    #[error("smsc.tls: {0}")]
    Tls(#[from] TlsError),
    /// Files for TLS towards a provider, mostly.
    #[error("connection.ca_file: {0}")]
    Client(#[from] ClientError),
}

/// One SMSC, or a provider over HTTP.
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: SmscName,
    /// How it wants texts.
    form: Form,
    /// The longest validity_period that it takes; none, it is given none.
    pub(crate) validity_max: Option<Duration>,
    /// How long after a message it is asked for a receipt that has not come.
    pub(crate) query_after: Option<Duration>,
    /// Whether what reads like a receipt is one, though nothing marks it.
    receipts_by_text: bool,
    /// What operators want of it; nothing goes out before that is known.
    order: Mutex<Option<Order>>,
    /// What submits.
    submitter: Option<Submitter>,
    /// Its binds, whichever way they go; none of a provider over HTTP.
    ways: Vec<Way>,
    /// The files of its binds for TLS, and the host they are for.
    tls: Option<(TlsSettings, String)>,
    /// Takes down how long responses took; made at the first one.
    pub(super) responses: OnceLock<Histogram>,
    flights: Flights,
    /// Most submissions without a response.
    pub(crate) window: usize,
    /// Segments that may be handed over at once.
    most: usize,
    /// How long an outcome may take once the submission has left.
    slowest: Duration,
    /// Submissions a second that were agreed upon, if any.
    agreed: Option<f64>,
    outcomes: Mutex<Outcomes>,
    judged_by: HealthSettings,
}

impl Link {
    fn spawn(settings: &SmscSettings, common: &Settings) -> Result<Vec<Session>, TlsError> {
        let (submits, receives) = match settings.bind {
            Bind::Transceiver => (Some(BindKind::Transceiver), None),
            Bind::Transmitter => (Some(BindKind::Transmitter), None),
            Bind::Receiver => (None, Some(BindKind::Receiver)),
            Bind::Pair => (Some(BindKind::Transmitter), Some(BindKind::Receiver)),
        };
        let files = settings.tls.as_ref().map(|tls| (TlsSettings::from(tls), settings.host.clone()));
        let tls = files.as_ref().map(|(files, host)| files.load(host)).transpose()?;
        let agreed = Some(settings.tps).filter(|tps| *tps > 0.0);
        let spawn = |kind| {
            Esme::spawn(EsmeSettings {
                name: settings.name.to_string(),
                host: settings.host.clone(),
                port: settings.port,
                tls: tls.clone(),
                system_id: settings.system_id.clone(),
                password: Password::new(settings.password.expose().as_str()),
                system_type: settings.system_type.clone(),
                kind,
                interface_version: settings.interface_version,
                window: settings.window,
                tps: agreed,
                throttle_pause: common.throttle_backoff,
                throttle_pause_max: common.throttle_backoff_max,
                give_back_when_paused: true,
                response_timeout: settings.response_timeout,
                enquire_link: settings.enquire_link,
                reconnect_min: settings.reconnect,
                reconnect_max: settings.reconnect_max,
                alarm_retry: settings.refused_retry,
                drain: settings.drain,
                // Until it is known that no operator has drained it.
                held: true,
                ..EsmeSettings::default()
            })
        };
        let (submitter, receiver) = (submits.map(&spawn), receives.map(&spawn));
        let ways = submits.into_iter().chain(receives).zip(submitter.iter().chain(&receiver));
        let ways = ways.map(|(kind, (esme, _))| Way::new(esme.clone(), kind)).collect();
        let link = Arc::new(Self {
            name: settings.name.clone(),
            form: Form::of(settings),
            validity_max: settings.validity_period.then_some(settings.validity_max),
            query_after: settings.query_after,
            receipts_by_text: settings.receipts_by_text,
            order: Mutex::default(),
            submitter: submitter.as_ref().map(|(esme, _)| Submitter::Esme(esme.clone())),
            ways,
            tls: files,
            responses: OnceLock::new(),
            flights: Flights::default(),
            window: settings.window,
            // Enough to keep the window full while the next batch is claimed.
            most: settings.window.saturating_mul(2),
            slowest: settings.response_timeout,
            agreed,
            outcomes: Mutex::default(),
            judged_by: common.health.clone(),
        });
        let session = |(way, (esme, events)): (&Way, _)| {
            Session::new(link.clone(), Submitter::Esme(esme), Events::Smpp(events), Some(way.kind()))
        };
        Ok(link.ways.iter().zip(submitter.into_iter().chain(receiver)).map(session).collect())
    }

    /// Tells whether it can take submissions: bound, not paused by an operator or throttled, and not full while it is
    /// silent or was throttled so recently that it is still sent less than agreed.
    fn is_usable(&self) -> bool {
        let ready = self.submitter.as_ref().is_some_and(Submitter::is_usable);
        let EsmeStats { paused, rate, .. } = self.stats();
        let slowed = || rate.is_some_and(|rate| self.agreed.is_none_or(|agreed| rate < agreed));
        let silent = || self.flights.still_for() > self.judged_by.patience;
        let full = || self.room() < self.least_room();
        self.order() == Some(Order::Open) && ready && !paused && !(full() && (slowed() || silent()))
    }

    /// Gives its binds, the one that submits before the others; none of a provider over HTTP.
    pub(crate) fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Tells whether a provider over HTTP was reached when it was last tried; none where there is a bind.
    pub(crate) fn reaches(&self) -> Option<bool> {
        self.takes_whole().then(|| self.submitter.as_ref().is_some_and(Submitter::is_usable))
    }

    /// Gives what operators want of it, once that has been read.
    pub(crate) fn order(&self) -> Option<Order> {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order over; tells whether it is another one.
    pub(crate) fn obey(&self, order: Order) -> bool {
        self.ways.iter().for_each(|way| way.esme.hold(order == Order::Drained));
        let mut held = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        held.replace(order) != Some(order)
    }

    /// Reads its files for TLS anew, for the connections to come; none where there are no files. Blocks.
    pub(crate) fn reload(&self) -> Option<Result<(), LinkError>> {
        if let Some(Submitter::Http(backend)) = &self.submitter {
            return Some(backend.reload()?.map_err(LinkError::from));
        }
        let (files, host) = self.tls.as_ref()?;
        let renew = |tls: ClientTls| self.ways.iter().for_each(|way| way.esme.renew_tls(tls.clone()));
        Some(files.load(host).map(renew).map_err(LinkError::from))
    }

    /// Counts the segments that are worth a round and may be handed over now; `None` when it can take none at all.
    pub(crate) fn worthwhile(&self) -> Option<usize> {
        let room = || Some(self.room()).filter(|room| *room >= self.least_room()).unwrap_or_default();
        self.is_usable().then(room)
    }

    /// Gives the part of its weight that it keeps in its routes.
    pub(crate) fn health(&self) -> f64 {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.health(&self.judged_by)
    }

    /// Notes what an outcome says about it.
    fn judge(&self, event: &PartEvent) {
        let good = match event {
            PartEvent::Accepted { .. } => true,
            PartEvent::Refused(refusal) => refusal.state() == SmsState::Invalid,
            PartEvent::Unknown => false,
            _ => return,
        };
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).add(good, &self.judged_by);
    }

    /// Counts the segments that may be handed over now: enough to keep the window full while the next batch is claimed,
    /// and no more. What waits in the session for long could not be told from what the SMSC does not answer.
    fn room(&self) -> usize {
        if self.stats().paused { 0 } else { self.ahead().saturating_sub(self.flights.open()) }
    }

    fn ahead(&self) -> usize {
        let worth = |rate: f64| self.most.min((rate * AHEAD_SECS).ceil() as usize);
        self.stats().rate.map_or(self.most, worth).max(1)
    }

    /// Gives the counters of what submits.
    pub(crate) fn stats(&self) -> EsmeStats {
        self.submitter.as_ref().map(Submitter::stats).unwrap_or_default()
    }

    /// Tells whether it takes messages whole, which are then not segments.
    pub(crate) fn takes_whole(&self) -> bool {
        matches!(self.submitter, Some(Submitter::Http(_)))
    }

    /// Gives how the texts of a route leave here.
    pub(crate) fn form_by(&self, route: Option<&Route>) -> Form {
        match route {
            Some(route) if !self.takes_whole() => self.form.by(route),
            _ => self.form,
        }
    }

    /// Tells how long it may take until the outcome of the last of so many segments is known, or known to be unknown:
    /// they leave behind those that are under way, as the rate allows and as those before them are answered.
    pub(crate) fn longest(&self, segments: usize) -> Duration {
        let ahead = self.flights.open() + segments;
        let paced =
            self.stats().rate.map(|rate| Duration::from_secs_f64(ahead as f64 / rate.max(LEAST_RATE)));
        let windows = u32::try_from(ahead / self.window.max(1)).unwrap_or(u32::MAX);
        paced.unwrap_or_default().max(self.slowest.saturating_mul(windows)) + self.slowest
    }

    /// Counts the segments that are worth a round of their own: with less room it is better to wait for more outcomes,
    /// each of which is followed by a look at the room. The session still has more than its window to send by then.
    fn least_room(&self) -> usize {
        (self.ahead() / 4).max(1)
    }

    /// Registers a segment for its outcome.
    pub(crate) fn register(&self, flight: Flight) -> u64 {
        self.flights.register(flight)
    }

    /// Hands registered segments to the session. What a session that has ended did not take is settled by
    /// [`Session::run`].
    pub(crate) async fn submit(&self, submissions: Vec<Submission>) {
        if let Some(submitter) = &self.submitter {
            submitter.submit(&self.name, submissions).await;
        }
    }

    /// Asks for the state of a message.
    ///
    /// # Errors
    /// [`QueryError`], see its variants.
    pub(crate) async fn query(&self, question: QuerySm) -> Result<QuerySmResp, QueryError> {
        match &self.submitter {
            Some(Submitter::Esme(esme)) => esme.query(question).await,
            _ => Err(QueryError::NotSent),
        }
    }
}

/// All back ends, in order of preference: SMSCs, then providers over HTTP.
pub(crate) struct Links {
    links: Vec<Arc<Link>>,
    /// Held while orders of operators are read and taken over.
    pub(crate) orders: tokio::sync::Mutex<()>,
    /// Nothing more will be handed over.
    pub(crate) quiet: CancellationToken,
}

impl Links {
    /// Starts the sessions of all configured SMSCs, which bind and stay bound once it is known that no operator has
    /// drained them, and the tasks of all providers.
    ///
    /// # Errors
    /// [`LinkError`] for files that cannot be used.
    pub(crate) fn spawn(settings: &Settings, clock: &SharedClock) -> Result<(Self, Vec<Session>), LinkError> {
        let mut spawned = Vec::new();
        let mut links = Vec::new();
        for smsc in &settings.smsc {
            let sessions = Link::spawn(smsc, settings)?;
            links.extend(sessions.first().map(|session| session.link().clone()));
            spawned.extend(sessions);
        }
        for wasp in &settings.wasp {
            let session = Link::spawn_wasp(wasp, (settings, clock))?;
            links.push(session.link().clone());
            spawned.push(session);
        }
        for http in &settings.http {
            let session = Link::spawn_generic(http, (settings, clock))?;
            links.extend(session.iter().map(|session| session.link().clone()));
            spawned.extend(session);
        }
        Ok((Self { links, orders: Default::default(), quiet: CancellationToken::new() }, spawned))
    }

    /// Gives all of them.
    pub(crate) fn all(&self) -> &[Arc<Link>] {
        &self.links
    }

    /// Finds one by its name.
    pub(crate) fn get(&self, name: &SmscName) -> Option<&Arc<Link>> {
        self.links.iter().find(|link| link.name == *name)
    }

    /// Gives those that can take submissions, each with how many are worth a round now.
    pub(crate) fn rooms(&self) -> HashMap<SmscName, usize> {
        self.links.iter().filter_map(|link| Some((link.name.clone(), link.worthwhile()?))).collect()
    }
}
