//! The same as operators have it: a standalone, a RabbitMQ that asks it about every user, the program of a modem.

use std::collections::BTreeSet;
use std::process::Output;

use common::models::gateway::GatewayCredentials;
use db::{Db, DbSettings};
use serde_json::{Value, json};
use testkit::host::ADMIN_TOKEN;
use testkit::process::mortal;
use testkit::program::{Program, ProgramSettings, binary};
use testkit::rabbitmq::RabbitMq;
use testkit::wait::wait_until;

use crate::publisher::Publisher;
use crate::user::{MESSAGE, PHONE, User};

/// A standalone and its broker: neither knows the other's users but by asking.
struct Installation {
    broker: RabbitMq,
    standalone: Program,
}

impl Installation {
    async fn start() -> Self {
        let settings =
            ProgramSettings { name: "sealpost", arguments: &["serve"], ..ProgramSettings::default() };
        let mut standalone = Program::prepare(settings).unwrap();
        let asked = format!("{}/v1/relay/rabbitmq", standalone.internal_url);
        let broker = RabbitMq::asking(&asked).await.unwrap();
        standalone.set("relay.amqp_url", &broker.url().replace("guest:guest", "relay:password-of-relay"));
        standalone.set("relay.rabbitmq_users.publisher", "password-of-the-publisher");
        standalone.restart().await.unwrap();
        let installation = Self { broker, standalone };
        installation.connected().await;
        installation
    }

    async fn connected(&self) {
        let connected = || async {
            let metrics = self.standalone.internal.get("/metrics").await.text();
            metrics.contains("sealpost_relay_broker_connected{service=\"relay\"} 1")
        };
        wait_until("relay to be connected", connected).await;
    }

    async fn user(&self) -> User {
        let file = self.standalone.data_dir().join("auth.sqlite");
        let auth = Db::new(&DbSettings::new(format!("sqlite:{}", file.display())), "auth").unwrap();
        User::register(&self.standalone.http, &auth).await
    }

    /// A publisher, whose password relay alone knows.
    async fn publisher(&self) -> Publisher {
        Publisher::connect(&self.broker.url().replace("guest:guest", "publisher:password-of-the-publisher"))
            .await
    }

    /// A modem that an operator has registered.
    async fn modem(&self) -> Modem<'_> {
        let folder = self.standalone.data_dir();
        std::fs::write(folder.join("admin-token"), ADMIN_TOKEN).unwrap();
        let modem = Modem { installation: self };
        let server = &self.standalone.internal_url;
        let registered =
            ["register", "--operator", "mtn", "--admin-token-file", "admin-token", "--server", server];
        modem.does(&registered).await;
        modem
    }
}

/// The program `sealpost gateway-client`.
struct Modem<'a> {
    installation: &'a Installation,
}

impl Modem<'_> {
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut program = mortal(binary("sealpost").unwrap());
        program.arg("gateway-client").args(arguments).current_dir(self.installation.standalone.data_dir());
        tokio::process::Command::from(program).output().await.unwrap()
    }

    /// Runs it to its good end; what it says.
    async fn does(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(arguments).await;
        assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    async fn forwards(&self, sms: &str) -> String {
        let server = &self.installation.standalone.url;
        self.does(&["forward", "--from", PHONE, "--sms", sms, "--server", server]).await
    }

    fn credentials(&self) -> GatewayCredentials {
        let file = self.installation.standalone.data_dir().join("gateway-client.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_a_modem_and_a_publisher_meet_at_a_broker_that_asks_relay_who_they_are() {
    let installation = Installation::start().await;
    let (user, modem, publisher) =
        (installation.user().await, installation.modem().await, installation.publisher().await);
    let server = &*installation.standalone.url;
    let ping = ["ping", "--imsi", "624011234567890", "--msisdn", "+237650000000", "--count", "1"];

    modem.does(&[&ping[..], &["--server", server]].concat()).await;
    let app = user.synchronize(MESSAGE).await;
    let answer = modem.forwards(&app.sms).await;
    let published = publisher.takes().await;

    assert_eq!(app.frames, ["201- pause", "200- ack"]);
    assert_eq!(app.gateway_clients[0]["MSISDN"], "+237650000000", "{}", app.gateway_clients);
    assert_eq!(answer, "message published successfully\n");
    assert_eq!(published, json!({"MSISDN": PHONE, "platform": "gmail", "message": MESSAGE}));
    let GatewayCredentials { client_id, secret, .. } = modem.credentials();
    let data = json!([{"isp": "mtn", "number": "+237650000001", "text": "an answer"}]);
    let request = installation.standalone.http.request(reqwest::Method::POST, "/sms");
    let request =
        request.basic_auth(client_id, Some(&secret)).json(&json!({"auth_id": client_id, "data": data}));
    installation.standalone.http.send(request).await.assert_status(200);
    let amqp = installation.broker.url().replace("guest:guest@", "");
    let sent = modem.does(&["consume", "--operator", "mtn", "--count", "1", "--amqp", &amqp]).await;
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(sent, json!({"text": "an answer", "number": "+237650000001"}));
    let log = installation.standalone.log();
    for hidden in
        [&*secret, "password-of", PHONE, "67712345", "a@b.c", "an answer", "624011234567890", &app.sms[..40]]
    {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill_of_the_standalone_and_of_the_broker_in_either_order() {
    let mut installation = Installation::start().await;
    let user = installation.user().await;
    let mut missing = BTreeSet::new();
    let mut texts = Vec::new();
    for number in 0..4 {
        let message = format!("{MESSAGE} {number}");
        texts.push(user.synchronize(&message).await.sms);
        missing.insert(message);
    }
    installation.modem().await;
    installation.broker.settle().await;

    // The broker is away when the SMS is answered, and its asker dies before it is back.
    installation.broker.kill();
    let modem = Modem { installation: &installation };
    modem.forwards(&texts[0]).await;
    modem.forwards(&texts[1]).await;
    installation.standalone.kill();
    installation.broker.restart().await.unwrap();
    installation.standalone.restart().await.unwrap();
    // Both are there; whichever of them has it dies.
    Modem { installation: &installation }.forwards(&texts[2]).await;
    installation.standalone.kill();
    installation.standalone.restart().await.unwrap();
    Modem { installation: &installation }.forwards(&texts[3]).await;
    installation.broker.kill();
    installation.broker.restart().await.unwrap();
    installation.connected().await;

    let publisher = installation.publisher().await;
    while !missing.is_empty() {
        missing.remove(publisher.takes().await["message"].as_str().unwrap());
    }
}
