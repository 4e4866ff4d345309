//! Many senders that do not give up, and a receiver that comes back: what people's apps do while a server dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::models::EnvelopeId;
use futures_util::future::join_all;
use serde::Deserialize;
use testkit::ws::{Envelope, MessageSocket, Push};
use tokio::time::{Instant, sleep};

use crate::harness::Seeded;
use crate::people::{Device, Target, body, text};

/// How long a client pauses before it tries again.
const RETRY: Duration = Duration::from_millis(10);

/// How long one message may take to be accepted, restarts of the server included.
pub(crate) const ACCEPTED_WITHIN: Duration = Duration::from_secs(40);

/// One receipt of a send: which envelope of which device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    devices: Vec<CopyReceipt>,
}

#[derive(Clone, Debug, Deserialize)]
struct CopyReceipt {
    guid: EnvelopeId,
}

/// What all senders together have done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Messages that were answered with 200.
    pub(crate) accepted: Arc<AtomicUsize>,
    /// Requests that were not answered, or not with 200.
    pub(crate) failures: Arc<AtomicUsize>,
}

/// Each of `senders` sends `each` messages to `to`, one after the other, each under its own idempotency key until it is
/// accepted. Returns the guid that each text was accepted as.
pub(crate) async fn send_all(
    senders: &[Device],
    to: &Device,
    each: usize,
    progress: &Progress,
) -> BTreeMap<String, EnvelopeId> {
    let one = |number: usize, sender: Device| async move {
        let mut accepted = Vec::new();
        for count in 0..each {
            let text = format!("message {count:04} of sender {number:02}");
            let guid = insist(&sender, to, &text, progress).await;
            accepted.push((text, guid));
        }
        accepted
    };
    let all = join_all(senders.iter().cloned().enumerate().map(|(number, sender)| one(number, sender))).await;
    all.into_iter().flatten().collect()
}

async fn insist(sender: &Device, to: &Device, text: &str, progress: &Progress) -> EnvelopeId {
    let key = uuid::Uuid::new_v4().to_string();
    let (mailbox, body) = (sender.mailbox(), body(&[Target::of(to)], text));
    let path = format!("/v1/messages/{}", to.account);
    let end = Instant::now() + ACCEPTED_WITHIN;
    loop {
        let request =
            mailbox.request(reqwest::Method::PUT, &path).header("idempotency-key", &key).json(&body);
        match request.send().await {
            Ok(answer) if answer.status() == 200 => {
                // An answer that breaks off is none.
                if let Ok(receipt) = answer.json::<Receipt>().await {
                    progress.accepted.fetch_add(1, Ordering::SeqCst);
                    return receipt.devices[0].guid;
                }
            }
            Ok(answer) => {
                let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap_or_default());
                assert!([500, 502, 503, 504].contains(&status), "a refusal with {status}: {body}");
            }
            Err(_) => {}
        }
        progress.failures.fetch_add(1, Ordering::SeqCst);
        assert!(Instant::now() < end, "not accepted within {ACCEPTED_WITHIN:?}: {text}");
        sleep(RETRY).await;
    }
}

/// What a device was given.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Every envelope once, in the order in which it came first.
    pub(crate) envelopes: Vec<Envelope>,
    /// Connections it took.
    pub(crate) connections: usize,
    /// Envelopes that came again.
    pub(crate) again: usize,
}

/// Reads until `count` different envelopes have come and been acked; now and then hangs up before an ack, and comes
/// back whenever the connection is lost, each time to the next of `servers`.
///
/// Fails as soon as an envelope comes out of order, with a gap, or again with another guid or content.
pub(crate) async fn receive(device: &Device, servers: &[&str], count: usize, mut luck: Seeded) -> Received {
    let mut received = Received::default();
    let mut servers = servers.iter().cycle();
    while received.envelopes.len() < count {
        let server = servers.next().expect("a server");
        let Ok(mut socket) = MessageSocket::try_connect(server, &device.token).await else {
            sleep(RETRY).await;
            continue;
        };
        received.connections += 1;
        let mut last = 0;
        while let Push::Message { id, envelope } = next_message(&mut socket).await {
            assert!(envelope.seq > last, "seq {} after {last} on one connection", envelope.seq);
            last = envelope.seq;
            received.note(envelope);
            let hangs_up = luck.below(150) == 0;
            if hangs_up || !socket.answer(id, 200).await || received.envelopes.len() == count {
                break;
            }
        }
    }
    received
}

/// Skips what says that the backlog is done: it comes at some point of every connection.
async fn next_message(socket: &mut MessageSocket) -> Push {
    loop {
        match socket.next().await {
            Push::QueueEmpty(_) => {}
            Push::Closed(Some(4401)) => panic!("a session that nobody ended was refused"),
            other => return other,
        }
    }
}

impl Received {
    pub(crate) fn note(&mut self, envelope: Envelope) {
        let place = usize::try_from(envelope.seq).unwrap() - 1;
        match self.envelopes.get(place) {
            Some(known) => {
                assert_eq!(*known, envelope, "what comes again is the same");
                self.again += 1;
            }
            None => {
                assert_eq!(place, self.envelopes.len(), "an envelope was skipped before {}", envelope.seq);
                self.envelopes.push(envelope);
            }
        }
    }

    /// Checks that what was accepted, no less and no more, was received, and each sender's messages in order.
    pub(crate) fn assert_exactly(&self, accepted: &BTreeMap<String, EnvelopeId>) {
        let received: BTreeMap<String, EnvelopeId> =
            self.envelopes.iter().map(|envelope| (text(envelope), envelope.guid)).collect();
        assert_eq!(received.len(), self.envelopes.len(), "a message was stored twice");
        let lost: Vec<_> = accepted.keys().filter(|text| !received.contains_key(*text)).collect();
        assert!(lost.is_empty(), "accepted and lost: {lost:?}");
        assert!(received == *accepted, "the receipt and the envelope name the same guid");
        let mut latest = BTreeMap::new();
        for text in self.envelopes.iter().map(text) {
            let (number, sender) = text.split_once(" of ").unwrap();
            let before = latest.insert(sender.to_owned(), number.to_owned());
            assert!(before.is_none_or(|before| *before < *number), "{sender} sent {text} later");
        }
    }
}
