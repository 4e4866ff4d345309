//! Nothing that an operator sees tells what a message says, whole numbers, or a secret: after a run in which messages
//! were delivered, refused, lost, held back and came in, all answers, the audit log, the log and the metrics are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::crypto::vault::Vault;
use serde_json::Value;
use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::{Behaviour, Plan, Verdict};
use sms::LongText;
use testkit::host::{ADMIN_TOKEN, INTERNAL_TOKEN};
use testkit::http::TestClient;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{DEADLINE, wait_for_within};
use testkit::webhooks::{Receiver, SECRET};

use crate::audited;
use crate::cases::ACME;
use crate::harness::{KEY, PASSWORD, World};
use crate::inbound::{NUMBER, brought, key};

/// Part of every text of an outgoing message, and of nothing else.
const WHISPER: &str = "watermelon";
/// The same of messages from handsets.
const ANSWER: &str = "pomegranate";
/// The last digits of all recipients and senders, but for the two that a masked number shows.
const DIGITS: &str = "7194863";
const VAULT_PASSWORD: &str = "vault-orchid";
/// SMPP allows 8 characters.
const SMSC_PASSWORD: &str = "orchid42";

fn number(end: u8) -> String {
    format!("255{DIGITS}{end:02}")
}

/// An SMSC that does with a message what its text says.
fn obedient() -> Behaviour {
    let script = |message: &SubmitSm, _: u64, plan: &mut Plan| {
        let says = |word: &[u8]| message.text().windows(word.len()).any(|part| part == word);
        if says(b"refused") {
            plan.verdict = Verdict::Refuse(CommandStatus::RINVDSTADR);
        } else if says(b"lost") {
            plan.verdict = Verdict::Lose;
        }
    };
    Behaviour { script: Some(Arc::new(script)), ..World::with_receipts() }
}

fn settings(world: &World, url: &str, hook: &Receiver) -> String {
    let vault = world.path().join("vault");
    let opened = Vault::open(&std::fs::read(&vault).unwrap(), PASSWORD).unwrap();
    std::fs::write(&vault, opened.to_bytes(VAULT_PASSWORD).unwrap()).unwrap();
    format!(
        r#"
        database.url = "{url}"
        [sms_gateway]
        vault = "{}"
        vault_password = "{VAULT_PASSWORD}"
        allowed_clients = ["acme"]
        http_keys = {{ "{KEY}" = "acme" }}
        unknown_grace = "1s"
        [[sms_gateway.smsc]]
        name = "main"
        port = {}
        system_id = "acme"
        password = "{SMSC_PASSWORD}"
        response_timeout = "8s"
        [[sms_gateway.inbound]]
        number = "{NUMBER}"
        client = "acme"
        public_key = "{}"
        [[sms_gateway.webhooks]]
        client = "acme"
        url = "{}"
        secrets = ["{SECRET}"]
        "#,
        vault.display(),
        world.smsc.address().port(),
        key().sealing_key().unwrap().to_line().unwrap(),
        hook.url("hook"),
    )
}

/// Hands a message in, and waits for the status that it ends with.
async fn send(http: &TestClient, world: &World, (correl, to): (&str, &str), last: &str) {
    let text = format!("To: +{to}\nSender: TEST\n\n{WHISPER} {correl}");
    http.post("/v1/sms", &world.maker.request(ACME, correl, &text)).await.assert_status(202);
    // What is given up comes late after a standstill of the machine.
    wait_for_within(2 * DEADLINE, &format!("{last} of {correl}"), || async {
        let page = http.get("/v1/sms/status?limit=1000").await.expect(200).value();
        let is_it = |one: &&Value| one["correl-id"] == correl && one["sms-status"] == last;
        page["statuses"].as_array().unwrap().iter().find(is_it).map(|_| ())
    })
    .await
}

/// Has handsets send what is given, and waits until all of it is there.
async fn receive(http: &TestClient, world: &World, texts: &[&str]) {
    let before = world.smsc.counts().borrow().delivered;
    let mut parts = 0;
    for text in texts {
        for part in brought(&number(1), text, LongText::Udh8, 5) {
            world.smsc.deliver("acme", part);
            parts += 1;
        }
    }
    world.smsc.counts().wait_for(|counts| counts.delivered >= before + parts).await.unwrap();
    http.get("/v1/sms/inbound").await.assert_status(200);
}

on_both! {
    async fn nothing_that_an_operator_sees_tells_texts_whole_numbers_or_secrets(test: TestDb) {
        let (world, hook) = (World::new(obedient()).await, Receiver::start(&[SECRET]));
        let file = settings(&world, &test.settings().url, &hook);
        let settings = ProgramSettings {
            name: "sealpost-sms-gateway",
            file: &file,
            more: &[("telemetry.level", "trace")],
            ..ProgramSettings::default()
        };
        let mut program = Program::start(settings).await.unwrap();
        let (http, operator) = (program.http.with_token(KEY), program.internal.with_token(ADMIN_TOKEN));

        let (one, other) = (number(1), number(2));
        send(&http, &world, ("delivered", &one), "DELIVERED").await;
        send(&http, &world, ("refused", &one), "INVALID").await;
        send(&http, &world, ("lost", &other), "FAILED").await;
        let long = format!("{ANSWER} {}", "again ".repeat(40));
        receive(&http, &world, &[&format!("{ANSWER} soup"), &long, "stop"]).await;
        send(&http, &world, ("held", &one), "INVALID").await;
        hook.taken(5).await;
        let spoilt = http.post("/v1/sms", &serde_json::json!({"correl-id": "odd", "payload": WHISPER})).await;
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for correl in ["delivered", "refused", "lost", "held"] {
            let path = format!("/internal/sms-gateway/v1/attempts?client=acme&correl-id={correl}");
            seen.insert(correl, operator.get(&path).await.expect(200).text());
        }
        seen.extend(audited::call_all(&operator).await);
        for name in ["binds", "unknown", "audit"] {
            let answer = operator.get(&format!("/internal/sms-gateway/v1/{name}")).await;
            seen.insert(name, answer.expect(200).text());
        }
        seen.insert("the metrics", program.metric_names().await);
        seen.insert("a refusal", spoilt.text());
        program.stop().await.unwrap();
        seen.insert("the log", program.log());

        for (place, word) in [("held", "opted out"), ("refused", "ESME_RINVDSTADR"), ("unknown", "\"lost\""), ("audit", "opt-outs.add")] {
            assert!(seen[place].contains(word), "{word} is not in {place}: {}", seen[place]);
        }
        assert!(seen["the metrics"].contains("sealpost_sms_opt_outs_total{word=\"stop\""), "{}", seen["the metrics"]);
        let secrets = [WHISPER, ANSWER, DIGITS, VAULT_PASSWORD, SMSC_PASSWORD, KEY, SECRET, &SECRET[6..], INTERNAL_TOKEN, ADMIN_TOKEN];
        for secret in secrets {
            for (place, text) in &seen {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "{place} tells {secret:?}");
            }
        }
    }
}
