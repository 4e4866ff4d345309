//! `sms send`, `listen` and `respond` over a real Kafka.

use std::process::Command;

use common::models::sms::SmsRequest;
use serde_json::Value;
use smpp::codec::{Address, DeliverSm};
use sms::{DefaultAlphabet, LongText, parts};
use testkit::kafka::{bootstrap, create_topic, unique};

use crate::clinic::{Clinic, NUMBER, Way};
use crate::program::Place;
use crate::sending::{opened, place};

async fn topic(name: &str) -> (&'static str, String) {
    let (brokers, topic) = (bootstrap().await, unique(name));
    create_topic(brokers, &topic, 4).await.expect("a topic");
    (brokers, topic)
}

#[tokio::test]
async fn requests_that_are_sent_are_heard_with_their_key() {
    let (brokers, topic) = topic("send").await;
    let place = place();
    let on = format!("--brokers {brokers} --topic {topic}");
    let mut listening = place.start(&format!("sms listen requests --count 2 {on}"));
    listening.says("listening").await;

    let send = format!(
        "sms send {on} --client acme --key acme.pub --to +255712345678 --to +255712345679 --correl-id run7 --sender CLINIC"
    );
    let accepted = place.sealpost_with(&send, &["Hello"], "").ok();

    assert_eq!(accepted, "run7-1\t+255*****78\nrun7-2\t+255*****79\n");
    assert!(listening.end().await.success());
    let mut requests: Vec<SmsRequest> = listening
        .stdout()
        .lines()
        .map(|line| SmsRequest::parse(line.as_bytes()).expect("a request"))
        .collect();
    requests.sort_by(|one, other| one.correl_id.cmp(&other.correl_id));
    assert_eq!(opened(&place, &requests[0]), "To: +255712345678\nSender: CLINIC\n\nHello");
    assert_eq!(opened(&place, &requests[1]), "To: +255712345679\nSender: CLINIC\n\nHello");
    let kcat =
        Command::new("kcat").args(["-C", "-e", "-q", "-b", brokers, "-t", &topic, "-f", "%k|%h\n"]).output();
    let mut keys: Vec<_> =
        String::from_utf8(kcat.expect("kcat").stdout).expect("text").lines().map(str::to_owned).collect();
    keys.sort();
    assert_eq!(keys, ["acme:run7-1|", "acme:run7-2|"], "keyed, and without headers");
}

#[tokio::test]
async fn without_all_only_new_statuses_are_printed() {
    let (brokers, topic) = topic("status").await;
    let place = Place::new();
    let on = format!("--brokers {brokers} --topic {topic}");
    let old = place.sealpost(&format!("sms respond {on} acme C1 SENT")).ok();

    let mut only_new = place.start(&format!("sms listen statuses --count 1 {on}"));
    only_new.says("listening").await;
    let new = place.sealpost(&format!("sms respond {on} acme C1 FAILED no such number --recall-id 7")).ok();

    assert!(only_new.end().await.success());
    assert_eq!(only_new.stdout(), new);
    let all = place.sealpost(&format!("sms listen statuses --all --count 2 {on}")).ok();
    assert_eq!(all, format!("{old}{new}"), "those of one request stay in order");
}

#[tokio::test]
async fn correlations_are_heard_and_junk_is_passed_over() {
    let (brokers, topic) = topic("correl").await;
    let place = Place::new();
    let correlation = r#"{"recall-id":"7","client-id":"acme","correl-id":"C1"}"#;
    place.script(&format!("echo junk | kcat -P -p 0 -b {brokers} -t {topic}; echo '{correlation}' | kcat -P -p 0 -b {brokers} -t {topic}"));

    let heard = place.sealpost(&format!("sms listen correlations -a --count 1 -b {brokers} --topic {topic}"));

    assert!(heard.stderr.contains(&format!("{topic}/0@0: not JSON")), "{heard:?}");
    assert_eq!(heard.ok(), format!("{correlation}\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_from_handsets_are_heard_decrypted() {
    let clinic = Clinic::start(Way::Kafka).await;
    let (topics, (vault, password)) = (clinic.kafka(), clinic.vault_files());
    let mut listening = clinic.place.start(&format!(
        "sms listen inbound --count 2 -b {} --topic {} --vault {vault} --password-file {password}",
        topics.brokers, topics.inbound
    ));
    listening.says("listening").await;
    let long = "a long answer ".repeat(20);

    for text in ["yes", &long] {
        for part in parts(text, DefaultAlphabet::Gsm7, LongText::Udh8, 7).expect("parts").parts {
            let message = DeliverSm {
                source: Address { ton: 1, npi: 1, value: "255712345678".into() },
                destination: Address { ton: 3, npi: 0, value: NUMBER.into() },
                esm_class: if part.udh.is_empty() { 0 } else { 0x40 },
                short_message: part.short_message(),
                ..DeliverSm::default()
            };
            clinic.smsc.deliver("demo", message);
        }
    }

    assert!(listening.end().await.success());
    let heard = listening.stdout();
    let mut lines: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.sort_by_key(|line| line["parts"].as_u64());
    let told = |line: &Value| (line["from"].clone(), line["recipient"].clone(), line["text"].clone());
    assert_eq!(told(&lines[0]), ("+255712345678".into(), NUMBER.into(), "yes".into()));
    assert_eq!(told(&lines[1]), ("+255712345678".into(), NUMBER.into(), long.into()));
    assert!(lines.iter().all(|line| line["client-id"] == "demo" && line["payload"].is_null()), "{lines:?}");
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named_and_not_made() {
    let (brokers, topic) = (bootstrap().await, unique("nowhere"));

    let refusal =
        Place::new().sealpost(&format!("sms listen requests -b {brokers} --topic {topic}")).refusal();

    assert_eq!(refusal, format!("there is no topic {topic}"));
}
