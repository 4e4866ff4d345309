//! Requests on the topic `send-sms`, and what is told of them.

use std::time::Duration;

use bus::{Headers, Record};
use common::crypto::sms_envelope::{SealingKey, encode_payload, seal_v1};
use common::crypto::vault::Vault;
use common::models::sms::SmsState;
use serde_json::json;
use testkit::kafka;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::journal::Accepted;
use crate::statuses::Statuses;
use crate::world::World;

/// Between two requests.
const PACE: Duration = Duration::from_millis(50);

/// What is missing by then is lost: outcomes that nobody knows are told after a minute.
const LOST_AFTER: Duration = Duration::from_secs(90);

/// The client that `deploy/secrets` makes.
const CLIENT: &str = "demo";

const PARTITIONS: u16 = 4;

/// Topics that no other test uses.
pub(crate) struct Topics {
    send: String,
    status: String,
    dead: String,
}

impl Topics {
    pub(crate) async fn make() -> Self {
        let topic = async |name| {
            let topic = kafka::unique(name);
            kafka::create_topic(kafka::bootstrap().await, &topic, PARTITIONS).await.unwrap();
            topic
        };
        Self {
            send: topic("send-sms").await,
            status: topic("sms-status").await,
            dead: topic("send-sms-dead").await,
        }
    }

    /// The end of the section of the gateway, and the section of its topics.
    pub(crate) fn settings(&self) -> String {
        let Self { send, status, dead } = self;
        format!(
            "allowed_clients = [\"{CLIENT}\"]\nallowed_numbers = [\"+255*\"]\n[sms_gateway.topics]\nsend = \"{send}\"\n\
             status = \"{status}\"\ndead = \"{dead}\"\n"
        )
    }
}

/// The load, until it is finished.
pub(crate) struct Sms {
    stop: CancellationToken,
    producing: AbortOnDropHandle<Vec<Accepted>>,
    statuses: Statuses,
}

impl Sms {
    pub(crate) async fn start(world: &World) -> Self {
        let vault = std::fs::read(world.installation.secret_file("sms-vault")).unwrap();
        let vault = Vault::open(&vault, &world.installation.secret("sms-vault-password")).unwrap();
        let key = vault.sealing_key(CLIENT).unwrap();
        let statuses = Statuses::of(&world.bus, &world.topics.status);
        let (stop, producer) = (CancellationToken::new(), world.bus.producer());
        let (topic, journal, stopped) = (world.topics.send.clone(), world.journal.clone(), stop.clone());
        let producing = async move {
            let mut accepted = Vec::new();
            while !stopped.is_cancelled() {
                let what = format!("sms {}", accepted.len());
                let value = Some(request(&key, &what, accepted.len()));
                let record = Record { topic: topic.clone(), key: None, value, headers: Headers::default() };
                producer.send(vec![record]).await.unwrap();
                accepted.push(Accepted { what, during: journal.stage() });
                sleep(PACE).await;
            }
            accepted
        };
        Self { stop, producing: AbortOnDropHandle::new(tokio::spawn(producing)), statuses }
    }

    /// Stops, and checks that each was sent once, and told of as sent and as delivered, once each. Says how many they were.
    pub(crate) async fn finish(self, world: &World) -> String {
        self.stop.cancel();
        let accepted = self.producing.await.unwrap();
        let since = Instant::now();
        while self.statuses.count() < 2 * accepted.len() && since.elapsed() < LOST_AFTER {
            sleep(PACE).await;
        }
        let took = since.elapsed();
        let sent: Vec<_> =
            world.smsc.accepted().into_iter().map(|sms| sms.message.destination.value).collect();
        let mut wrong = Vec::new();
        for (request, number) in accepted.iter().zip(0..) {
            let told = self.statuses.said(&request.what);
            let states: Vec<_> = told.iter().map(|said| said.status.sms_status).collect();
            if states != [SmsState::Sent, SmsState::Delivered] {
                let copies = sent.iter().filter(|to| to.ends_with(&recipient(number))).count();
                wrong.push(format!("{request}; the SMSC has {copies}; told of it: {told:?}"));
            }
        }
        assert!(wrong.is_empty(), "of {} SMS: {wrong:#?}", accepted.len());
        assert_eq!((sent.len(), self.statuses.count()), (accepted.len(), 2 * accepted.len()), "each once");
        format!("{} SMS, the last of them told of {took:?} after the end", sent.len())
    }
}

fn recipient(number: usize) -> String {
    format!("25570000{number:04}")
}

fn request(key: &SealingKey, correl: &str, number: usize) -> Vec<u8> {
    let text = format!("To: +{}\nSender: TEST\n\nrolling", recipient(number));
    let payload = encode_payload(&seal_v1(key, text.as_bytes()).unwrap());
    let request = json!({
        "client-id": CLIENT, "correl-id": correl, "deadline": "2100-01-01T00:00:00Z", "payload": payload,
    });
    serde_json::to_vec(&request).unwrap()
}
