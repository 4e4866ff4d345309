//! Messages between two devices: one sends without end, the other reads its websocket and comes back whenever that closes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use testkit::wait::wait_until;
use testkit::ws::{Envelope, MessageSocket, Push};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::device::Device;
use crate::journal::{Accepted, Journal};
use crate::world::World;

/// Between two messages.
const PACE: Duration = Duration::from_millis(40);

/// What a service that restarts closes websockets with.
pub(crate) const RESTART: u16 = 1012;

/// The load, until it is finished.
pub(crate) struct Messages {
    stop: CancellationToken,
    sending: AbortOnDropHandle<BTreeMap<String, Accepted>>,
    inbox: Arc<Mutex<Inbox>>,
    _receiving: AbortOnDropHandle<()>,
}

/// What the receiver has.
#[derive(Debug, Default)]
struct Inbox {
    /// In the order in which they came first: that of their numbers.
    envelopes: Vec<Envelope>,
    again: usize,
    closes: usize,
}

impl Messages {
    pub(crate) async fn start(world: &World) -> Self {
        let client = world.client();
        let (alice, bob) = (Device::register(&client, "alice").await, Device::register(&client, "bob").await);
        let (stop, inbox) = (CancellationToken::new(), Arc::default());
        let receiving =
            receive(world.url.clone(), bob.token.clone(), Arc::clone(&inbox), world.journal.clone());
        let sender = client.with_token(alice.token);
        let (journal, stopped) = (world.journal.clone(), stop.clone());
        let sending = async move {
            let mut accepted = BTreeMap::new();
            while !stopped.is_cancelled() {
                let what = format!("message {}", accepted.len());
                let (key, body) = (uuid::Uuid::new_v4().to_string(), bob.message(what.as_bytes()));
                let put =
                    || sender.request(Method::PUT, &bob.path()).header("idempotency-key", &key).json(&body);
                let receipt: Receipt = journal.insist(&what, put).await.json();
                let during = journal.stage();
                accepted.insert(receipt.devices[0].guid.clone(), Accepted { what, during });
                sleep(PACE).await;
            }
            accepted
        };
        let (sending, receiving) = (AbortOnDropHandle::new(tokio::spawn(sending)), tokio::spawn(receiving));
        Self { stop, sending, inbox, _receiving: AbortOnDropHandle::new(receiving) }
    }

    /// Stops, and checks that all that was accepted has come, each under one id. Says how much that was.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        let accepted = self.sending.await.unwrap();
        let inbox = &self.inbox;
        let missing = || {
            let mut missing = accepted.clone();
            for envelope in &inbox.lock().unwrap().envelopes {
                missing.remove(&envelope.guid.to_string());
            }
            missing
        };
        let all =
            tokio::time::timeout(ARRIVED_WITHIN, wait_until("messages", async || missing().is_empty())).await;
        if all.is_err() {
            let lost: Vec<_> = missing().values().map(ToString::to_string).collect();
            panic!("lost: {lost:#?}");
        }
        let inbox = inbox.lock().unwrap();
        assert_eq!(inbox.envelopes.len(), accepted.len(), "what was sent once is stored once");
        for envelope in &inbox.envelopes {
            let accepted = &accepted[&envelope.guid.to_string()];
            assert_eq!(envelope.content.0, accepted.what.as_bytes(), "{accepted}");
        }
        assert!(inbox.closes > 0, "no websocket was on a pod that went");
        let Inbox { again, closes, .. } = *inbox;
        format!("{} messages, {again} of them again after {closes} closes", accepted.len())
    }
}

/// How long the last messages may take; less than a test waits for any one thing.
const ARRIVED_WITHIN: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct Receipt {
    devices: Vec<CopyReceipt>,
}

#[derive(Deserialize)]
struct CopyReceipt {
    guid: String,
}

async fn receive(url: String, token: String, inbox: Arc<Mutex<Inbox>>, journal: Journal) {
    loop {
        let mut socket = match MessageSocket::try_connect(&url, &token).await {
            Ok(socket) => socket,
            Err(status) => {
                assert!(matches!(status, None | Some(502..=504)), "{status:?} during {}", journal.stage());
                journal.failed("the websocket of messages", format_args!("{status:?}"));
                sleep(PACE).await;
                continue;
            }
        };
        loop {
            match socket.next().await {
                Push::Message { id, envelope } => {
                    inbox.lock().unwrap().note(envelope, &journal);
                    // Of a lost connection, the next read tells the reason.
                    socket.answer(id, 200).await;
                }
                Push::Closed(Some(RESTART)) => break,
                Push::Closed(code) => panic!("closed with {code:?} during {}", journal.stage()),
                Push::QueueEmpty(_) | Push::KeysLow(_) => {}
                Push::Response(response) => panic!("{response:?} to no request"),
            }
        }
        inbox.lock().unwrap().closes += 1;
    }
}

impl Inbox {
    fn note(&mut self, envelope: Envelope, journal: &Journal) {
        let place = usize::try_from(envelope.seq).unwrap() - 1;
        match self.envelopes.get(place) {
            Some(known) => {
                assert_eq!(*known, envelope, "what comes again is the same");
                self.again += 1;
            }
            None => {
                let next = self.envelopes.len();
                assert_eq!(place, next, "an envelope was passed over during {}", journal.stage());
                self.envelopes.push(envelope);
            }
        }
    }
}
