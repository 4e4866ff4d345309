//! Somebody makes an account with a phone: the code goes from auth through the gateway to the SMSC, and is read at the
//! handset.

use serde_json::{Value, json};
use smpp::smsc::{Behaviour, Receipts, Smsc};
use testkit::kafka;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for, wait_until};

use crate::world::{
    SMSC_PASSWORD, SYSTEM_ID, kept_address, simulator, simulator_at, simulator_table, smsc_table,
};

const PHONE: &str = "+255700001234";
/// The gateway has no route there.
const FOREIGN: &str = "+49301234567";
const PASSWORD: &str = "correct horse battery";
const PATH: &str = "/v1/accounts/phone-verifications";

/// A standalone where a phone lets in, beside an SMSC that outlives it.
struct Town {
    sealpost: Program,
    smsc: Smsc,
}

/// Receipts come.
fn behaviour() -> Behaviour {
    Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() }
}

/// A standalone with these tables, of which one belongs below `[sms_gateway]`.
async fn serve(tables: &str, topics: &str, smsc: &str) -> Program {
    let file = format!(
        "{tables}[auth]\nregistration = \"sms\"\n[sms_gateway]\nallowed_numbers = [\"+255*\"]\n{topics}{smsc}"
    );
    let settings = ProgramSettings {
        name: "sealpost",
        arguments: &["serve"],
        file: &file,
        ..ProgramSettings::default()
    };
    Program::start(settings).await.unwrap()
}

impl Town {
    async fn start() -> Self {
        Self::with("", "").await
    }

    /// The same with more tables, of which one belongs below `[sms_gateway]`.
    async fn with(tables: &str, topics: &str) -> Self {
        let smsc = simulator(behaviour(), 7).await;
        Self { sealpost: serve(tables, topics, &simulator_table(&smsc)).await, smsc }
    }

    async fn begin(&self, phone: &str) -> String {
        begin(&self.sealpost, phone).await
    }

    async fn send(&self, verification: &str) {
        send(&self.sealpost, verification).await;
    }

    async fn check(&self, verification: &str, code: &str) -> Value {
        let path = format!("{PATH}/{verification}/code");
        self.sealpost.http.put(&path, &json!({"code": code})).await.expect(200).value()
    }

    /// Waits until the verification says this of its SMS.
    async fn delivery(&self, verification: &str, expected: &str) -> Value {
        wait_for(expected, || async {
            let found = self.sealpost.http.get(&format!("{PATH}/{verification}")).await.expect(200).value();
            (found["delivery"] == expected).then_some(found)
        })
        .await
    }

    /// Waits for the SMS number `number`, counted from 1, and reads the code in it.
    async fn handset(&self, number: usize) -> String {
        let message =
            wait_for("an SMS", || async { self.smsc.accepted().get(number - 1).cloned() }).await.message;
        assert_eq!(message.destination.value, PHONE.trim_start_matches('+'));
        let text = String::from_utf8(message.text().to_vec()).unwrap();
        assert!(text[6..].starts_with(" is your code"), "{text}");
        text[..6].to_owned()
    }

    async fn register(&self, username: &str, verification: &str) -> (u16, Value) {
        let body = json!({"username": username, "password": PASSWORD, "phoneVerificationId": verification});
        let answer = self.sealpost.http.post("/v1/accounts", &body).await;
        (answer.status.as_u16(), answer.value())
    }
}

async fn begin(sealpost: &Program, phone: &str) -> String {
    let begun = sealpost.http.post(PATH, &json!({"phone": phone})).await.expect(201).value();
    begun["verificationId"].as_str().unwrap().to_owned()
}

async fn send(sealpost: &Program, verification: &str) {
    let path = format!("{PATH}/{verification}/code");
    sealpost.http.post(&path, &json!({})).await.assert_status(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_made_with_a_code_that_was_read_at_the_handset() {
    let town = Town::start().await;
    let verification = town.begin(PHONE).await;

    town.send(&verification).await;
    let code = town.handset(1).await;
    town.delivery(&verification, "delivered").await;
    let early = town.register("alice", &verification).await;
    let verified = town.check(&verification, &code).await;
    let (status, account) = town.register("alice", &verification).await;

    assert_eq!((early.0, &early.1["type"]), (403, &"urn:problem:phone-verification-needed".into()));
    assert_eq!(verified["verified"], true);
    assert_eq!(status, 201, "{account}");
    assert_eq!(account["phone"], json!({"value": PHONE, "verified": true}));
    let session = json!({"username": "alice", "password": PASSWORD});
    town.sealpost.http.post("/v1/sessions", &session).await.assert_status(201);
    let told = r#"sealpost_auth_phone_codes_total{outcome="delivered",service="auth"} 1"#;
    let metrics = || async { town.sealpost.internal.get("/metrics").await.expect(200).text() };
    wait_until("the count of codes", || async { metrics().await.contains(told) }).await;
    let (log, metrics) = (town.sealpost.log(), town.sealpost.metric_names().await);
    for (place, text) in [("the log", &log), ("the metrics", &metrics)] {
        for secret in [code.as_str(), PHONE.trim_start_matches('+'), &verification] {
            let word = |line: &&str| {
                line.split(|letter: char| !letter.is_alphanumeric() && letter != '-')
                    .any(|word| word == secret)
            };
            assert_eq!(text.lines().find(word), None, "{place} tells {secret:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_was_promised_comes_though_the_server_is_killed_at_once() {
    // There is nobody to send it to before the kill: what is on its way then goes out once more, as it is urgent.
    let address = kept_address();
    let table = smsc_table("main", address.port(), (SYSTEM_ID, SMSC_PASSWORD));
    let mut sealpost = serve("", "", &table).await;
    let verification = begin(&sealpost, PHONE).await;

    send(&sealpost, &verification).await;
    sealpost.kill();
    let smsc = simulator_at(address, behaviour(), 7).await;
    sealpost.restart().await.unwrap();
    let town = Town { sealpost, smsc };
    let code = town.handset(1).await;

    assert_eq!(town.check(&verification, &code).await["verified"], true);
    town.delivery(&verification, "delivered").await;
    assert_eq!(town.smsc.accepted().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_that_the_gateway_refuses_is_told_and_may_be_asked_for_again_at_once() {
    let town = Town::start().await;
    let verification = town.begin(FOREIGN).await;

    town.send(&verification).await;
    let failed = town.delivery(&verification, "failed").await;
    town.send(&verification).await;

    assert_eq!(failed["verified"], false);
    assert!(town.smsc.accepted().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_their_statuses_travel_over_kafka_as_well() {
    let brokers = kafka::bootstrap().await;
    let [send, status, dead] = ["send-sms", "sms-status", "send-sms-dead"].map(kafka::unique);
    for topic in [&send, &status, &dead] {
        kafka::create_topic(brokers, topic, 2).await.unwrap();
    }
    let bus = format!("[bus]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ngroup_prefix = \"{send}-\"\n");
    let phone = format!("[auth.phone]\nsend_topic = \"{send}\"\nstatus_topic = \"{status}\"\n");
    let topics = format!("topics = {{ send = \"{send}\", status = \"{status}\", dead = \"{dead}\" }}\n");
    let town = Town::with(&(bus + &phone), &topics).await;
    let verification = town.begin(PHONE).await;

    town.send(&verification).await;
    let code = town.handset(1).await;

    town.delivery(&verification, "delivered").await;
    assert_eq!(town.check(&verification, &code).await["verified"], true);
}
