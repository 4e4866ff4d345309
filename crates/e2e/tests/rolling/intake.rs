//! SMS that a gateway client hands in, and the publisher that takes them from RabbitMQ.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::host::ADMIN_TOKEN;
use testkit::wait::wait_until;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{App, sms};
use crate::journal::Accepted;
use crate::world::World;

/// Between two SMS.
const PACE: Duration = Duration::from_millis(80);

const QUEUE: &str = "default-smswithoutborders-queue";

/// The load, until it is finished.
pub(crate) struct Intake {
    stop: CancellationToken,
    forwarding: AbortOnDropHandle<Vec<Accepted>>,
    published: Arc<Mutex<Published>>,
    _publishing: AbortOnDropHandle<()>,
    _connection: Connection,
}

/// What the publisher has taken: message by id.
#[derive(Debug, Default)]
struct Published {
    messages: BTreeMap<String, String>,
    again: usize,
}

impl Intake {
    pub(crate) async fn start(world: &World) -> Self {
        let app = App::register(world, "intake", "+237677000002").await;
        let key = app.synchronize(Duration::ZERO).await;
        let operator = world.client().with_token(ADMIN_TOKEN);
        let gateway = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();
        let [id, secret] = ["clientId", "secret"].map(|name| gateway[name].as_str().unwrap().to_owned());

        let connection = world.installation.vhost.url();
        let connection = Connection::connect(connection, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut deliveries =
            channel.basic_consume(QUEUE.into(), "publisher".into(), options, arguments).await.unwrap();
        let published = Arc::<Mutex<Published>>::default();
        let taken = Arc::clone(&published);
        let publishing = async move {
            while let Some(Ok(delivery)) = deliveries.next().await {
                let id = delivery.properties.message_id().as_ref().expect("an id").to_string();
                taken.lock().unwrap().note(id, &delivery.data);
                delivery.ack(BasicAckOptions::default()).await.unwrap();
            }
        };

        let (client, journal, stop) = (world.client(), world.journal.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let forwarding = async move {
            let mut accepted = Vec::new();
            while !stopped.is_cancelled() {
                let what = format!("g:a@b.c:::Hi:sms {} of the intake", accepted.len());
                let body = json!({"text": sms(&key, &what), "MSISDN": app.phone});
                let forward = || {
                    let request = client.request(Method::POST, "/sms/platform/gateway-client");
                    request.basic_auth(&id, Some(&secret)).json(&body)
                };
                journal.insist(&what, forward).await;
                accepted.push(Accepted { what, during: journal.stage() });
                sleep(PACE).await;
            }
            accepted
        };
        let (forwarding, publishing) = (
            AbortOnDropHandle::new(tokio::spawn(forwarding)),
            AbortOnDropHandle::new(tokio::spawn(publishing)),
        );
        Self { stop, forwarding, published, _publishing: publishing, _connection: connection }
    }

    /// Stops, and checks that the publisher has all that was accepted, each under one id. Says how many they were.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        let accepted = self.forwarding.await.unwrap();
        for sms in &accepted {
            let has =
                async || self.published.lock().unwrap().messages.values().any(|message| *message == sms.what);
            wait_until(&sms.to_string(), has).await;
        }
        let published = self.published.lock().unwrap();
        assert_eq!(published.messages.len(), accepted.len(), "each has one id");
        format!("{} SMS for the publisher, {} of them again", accepted.len(), published.again)
    }
}

impl Published {
    fn note(&mut self, id: String, data: &[u8]) {
        let sms: Value = serde_json::from_slice(data).unwrap();
        let message = sms["message"].as_str().unwrap().to_owned();
        match self.messages.get(&id) {
            Some(known) => {
                assert_eq!(*known, message, "what comes again is the same");
                self.again += 1;
            }
            None => _ = self.messages.insert(id, message),
        }
    }
}
