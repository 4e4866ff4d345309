//! A simulator, an ESME bound to it, and waiting with a deadline.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use smpp::codec::{Address, SubmitSm};
use smpp::esme::{Delivery, Esme, EsmeSettings, EsmeState, Event, Password, Response, Submission};
use smpp::smsc::{Behaviour, Smsc, SmscCounts, SmscSettings};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Settings for a peer in this process: short waits, so that tests end soon.
pub(crate) fn settings(address: SocketAddr) -> EsmeSettings {
    EsmeSettings {
        host: address.ip().to_string(),
        port: address.port(),
        system_id: "acme".into(),
        password: Password::new("sesame"),
        reconnect_min: Duration::from_millis(20),
        reconnect_max: Duration::from_millis(100),
        alarm_retry: Duration::from_millis(100),
        ..EsmeSettings::default()
    }
}

pub(crate) async fn simulator(behaviour: Behaviour) -> Smsc {
    start(SmscSettings { behaviour, ..SmscSettings::default() }).await
}

/// Starts a simulator. Its port is nobody else's as long as this process lives, also while it is dead: a socket keeps it
/// that is bound, and never listens.
pub(crate) async fn start(settings: SmscSettings) -> Smsc {
    static KEPT: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let keeper = TcpSocket::new_v4().unwrap();
    keeper.set_reuseaddr(true).unwrap();
    keeper.bind(settings.listen).unwrap();
    let listen = keeper.local_addr().unwrap();
    KEPT.lock().unwrap().push(keeper);
    Smsc::start(SmscSettings { listen, ..settings }).await.unwrap()
}

pub(crate) struct Bound {
    pub(crate) esme: Esme,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Bound {
    /// Spawns it and waits for its bind.
    pub(crate) async fn spawn(settings: EsmeSettings) -> Self {
        let (esme, events) = Esme::spawn(settings);
        let mut bound = Self { esme, events };
        bound.wait_bound().await;
        bound
    }

    pub(crate) async fn to(smsc: &Smsc) -> Self {
        Self::spawn(settings(smsc.address())).await
    }

    pub(crate) async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(DEADLINE, self.events.recv()).await.expect("an event in time");
        event.expect("an ESME that runs")
    }

    /// Skips events up to the next delivery.
    pub(crate) async fn delivery(&mut self) -> Delivery {
        loop {
            if let Event::Deliver(delivery) = self.event().await {
                return delivery;
            }
        }
    }

    /// Skips events up to the next response.
    pub(crate) async fn response(&mut self) -> Response {
        loop {
            if let Event::Responded(response) = self.event().await {
                return response;
            }
        }
    }

    /// Skips events up to the bind.
    pub(crate) async fn wait_bound(&mut self) {
        while !matches!(self.event().await, Event::Bound { .. }) {}
    }

    pub(crate) async fn submit(&self, tokens: impl IntoIterator<Item = u64>) {
        self.esme.submit(tokens.into_iter().map(submission).collect()).await.unwrap();
    }
}

pub(crate) fn submission(token: u64) -> Submission {
    Submission { token, pdu: message(token), not_after: None }
}

/// A message that can be told from others by its text, and asks for a receipt.
pub(crate) fn message(token: u64) -> SubmitSm {
    SubmitSm {
        source: Address { ton: 5, npi: 0, value: "ACME".into() },
        destination: Address { ton: 1, npi: 1, value: "255700000001".into() },
        registered_delivery: 1,
        short_message: format!("message {token}").into_bytes(),
        ..SubmitSm::default()
    }
}

/// The tokens that the simulator has accepted, in its order.
pub(crate) fn accepted_tokens(smsc: &Smsc) -> Vec<u64> {
    let token = |text: &[u8]| String::from_utf8_lossy(text).trim_start_matches("message ").parse().unwrap();
    smsc.accepted().iter().map(|accepted| token(&accepted.message.short_message)).collect()
}

pub(crate) async fn wait_counts(smsc: &Smsc, condition: impl FnMut(&SmscCounts) -> bool) {
    let mut counts = smsc.counts();
    tokio::time::timeout(DEADLINE, counts.wait_for(condition)).await.expect("counts in time").unwrap();
}

pub(crate) async fn wait_state(esme: &Esme, condition: impl FnMut(&EsmeState) -> bool) {
    let mut state = esme.watch();
    tokio::time::timeout(DEADLINE, state.wait_for(condition)).await.expect("a state in time").unwrap();
}
