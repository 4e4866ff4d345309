//! The tables of the contract, row by row, through a real Kafka: the loop-back client, the order of the checks.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use bus::{Delivered, Record};
use testkit::database::TestDb;
use testkit::wait::{wait_for, wait_until};

use crate::cases::{self, ACME, Case, Outcome, TEST, message};
use crate::secrecy::{NUMBERS, WHISPER, assert_discreet};
use crate::statuses::{Statuses, Tail};
use crate::world::{World, simulator, simulator_table};

/// Headers that the known gateway took for its own; `traceparent` is the one that may go on.
const POISON: [(&str, &str); 7] = [
    ("smsStatus", "DELIVERED"),
    ("clientId", "acme"),
    ("correlId", "another"),
    ("errorText", "boom"),
    ("recallId", "4711"),
    ("tsvRecord", "boom"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
];

fn all(world: &World) -> Vec<Case> {
    let mut all = cases::loopback(world.maker());
    all.extend(cases::checks(world.maker()));
    all
}

/// Waits until the outcomes of `cases` have come, and then until one more message has gone its whole way, so that
/// whatever is too much has come as well.
async fn assert_outcomes(world: &World, statuses: &Statuses, dead: &Mutex<Vec<Delivered>>, cases: &[Case]) {
    for case in cases {
        match &case.outcome {
            Outcome::Statuses(wanted) => drop(statuses.wait(&case.name, wanted.len()).await),
            Outcome::DeadLetter => {
                let letter =
                    || dead.lock().unwrap().iter().find(|letter| letter.value == case.value).cloned();
                let letter = wait_for(&format!("dead letter {}", case.name), || async { letter() }).await;
                assert_dead_letter(world, &letter, &case.name);
            }
        }
    }
    world.request(&world.maker().request(TEST, "the-last", &message("S1D1"))).await;
    statuses.wait("the-last", 2).await;
    for case in cases {
        if let Outcome::Statuses(wanted) = &case.outcome {
            let wanted: Vec<_> = wanted.iter().map(|(name, text)| ((*name).to_owned(), *text)).collect();
            assert_eq!(statuses.names(&case.name), wanted, "{}", case.name);
        }
    }
    let letters = cases.iter().filter(|case| case.outcome == Outcome::DeadLetter).count();
    assert_eq!(dead.lock().unwrap().len(), letters, "nothing else is a dead letter");
}

fn assert_dead_letter(world: &World, letter: &Delivered, name: &str) {
    let headers = &letter.headers;
    assert!(headers.get_str("error").is_some_and(|error| !error.is_empty()), "{name}: {headers:?}");
    assert_eq!(headers.get_str("attempts"), Some("1"), "{name}");
    assert_eq!(headers.get_str("source-topic"), Some(world.send.as_str()), "{name}");
    assert!(headers.get_str("source-offset").is_some_and(|offset| offset.parse::<u64>().is_ok()), "{name}");
    assert_eq!(letter.key.as_deref(), Some(b"original key".as_slice()), "{name}");
}

/// Whatever a status says, it is keyed by its request and carries nothing beside its value.
fn assert_form(statuses: &Statuses) {
    for said in statuses.all() {
        let status = &said.status;
        let key = format!("{}:{}", status.client_id.as_str(), status.correl_id.as_str());
        assert_eq!(said.record.key.as_deref(), Some(key.as_bytes()));
        let headers: Vec<&str> = said.record.headers.iter().map(|(name, _)| name).collect();
        assert!(headers.iter().all(|name| *name == "traceparent"), "{key}: {headers:?}");
        let text = String::from_utf8(said.record.bytes().to_vec()).unwrap();
        assert!(!text.contains("null"), "{text}");
        assert!(text.starts_with("{\"client-id\":") && text.contains("Z\",\"sms-status\":\""), "{text}");
    }
}

async fn listen(world: &World) -> (Statuses, Arc<Mutex<Vec<Delivered>>>, Tail) {
    let dead: Arc<Mutex<Vec<Delivered>>> = Arc::default();
    let into = dead.clone();
    let tail = Tail::of(&world.bus, &world.dead, move |letter| into.lock().unwrap().push(letter));
    (Statuses::of(&world.bus, &world.status), dead, tail)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_both_tables_holds_through_kafka() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let smsc = simulator(Default::default(), 1).await;
    let gateway = world.gateway_with(&db, &simulator_table(&smsc), &[("telemetry.level", "debug")]).await;
    let (statuses, dead, _tail) = listen(&world).await;
    let cases = all(&world);

    world.produce(cases.iter().map(|case| world.record(case.value.clone())).collect()).await;

    assert_outcomes(&world, &statuses, &dead, &cases).await;
    assert_form(&statuses);
    assert_eq!(smsc.accepted(), [], "no row of the tables reaches the SMSC");
    assert_discreet(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_a_foreign_producer_change_nothing() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let smsc = simulator(Default::default(), 1).await;
    let gateway = world.gateway(&db, &simulator_table(&smsc)).await;
    let (statuses, dead, _tail) = listen(&world).await;
    // What kcat can read: a line for each record.
    let is_line = |value: &[u8]| !value.is_empty() && !value.contains(&b'\n');
    let cases: Vec<Case> =
        all(&world).into_iter().filter(|case| case.value.as_deref().is_some_and(is_line)).collect();

    kcat(&world, &cases);

    assert_outcomes(&world, &statuses, &dead, &cases).await;
    assert_form(&statuses);
    for letter in dead.lock().unwrap().iter() {
        assert_eq!(letter.headers.get_str("smsStatus"), Some("DELIVERED"), "the original headers are kept");
    }
    assert_eq!(smsc.accepted(), []);
    assert_discreet(&gateway).await;
}

/// Produces with kcat, poisoned headers on each record.
fn kcat(world: &World, cases: &[Case]) {
    let mut command = Command::new("kcat");
    command.args(["-P", "-b", &world.brokers, "-t", &world.send, "-k", "original key"]);
    for (name, value) in POISON {
        command.args(["-H", &format!("{name}={value}")]);
    }
    let mut kcat = command.stdin(Stdio::piped()).spawn().expect("kcat: install the package kcat");
    let mut lines = Vec::new();
    for case in cases {
        lines.extend(case.value.as_deref().unwrap());
        lines.push(b'\n');
    }
    kcat.stdin.take().unwrap().write_all(&lines).unwrap();
    assert!(kcat.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_first_start_goes_out() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let behaviour = smpp::smsc::Behaviour { receipts: Some(Default::default()), ..Default::default() };
    let smsc = simulator(behaviour, 1).await;
    let text = format!("To: +{NUMBERS}4711\nSender: TEST\n\n{WHISPER}");
    world.request(&world.maker().request(ACME, "early", &text)).await;

    let gateway = world.gateway(&db, &simulator_table(&smsc)).await;

    let statuses = Statuses::of(&world.bus, &world.status);
    statuses.wait("early", 2).await;
    assert_eq!(statuses.names("early"), [("SENT".to_owned(), false), ("DELIVERED".to_owned(), false)]);
    assert_discreet(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_three_segments_goes_to_the_smsc_and_back() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let behaviour = smpp::smsc::Behaviour { receipts: Some(Default::default()), ..Default::default() };
    let smsc = simulator(behaviour, 1).await;
    let gateway = world.gateway_with(&db, &simulator_table(&smsc), &[("telemetry.level", "debug")]).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let text = format!("To: +{NUMBERS}4711\nSender: TEST\n\n{}", format!("{WHISPER} ").repeat(40));
    let request = serde_json::to_vec(&world.maker().request(ACME, "long", &text)).unwrap();

    world.produce(vec![Record { key: None, ..world.record(Some(request)) }]).await;

    statuses.wait("long", 2).await;
    assert_eq!(statuses.names("long"), [("SENT".to_owned(), false), ("DELIVERED".to_owned(), false)]);
    let accepted = smsc.accepted();
    assert_eq!(accepted.len(), 3);
    let recall = statuses.said("long").pop().unwrap().status.recall_id;
    assert_eq!(recall.as_deref(), Some(accepted[2].message_id.as_str()));
    assert_form(&statuses);
    wait_until("the log of the whole way", || async { gateway.log().contains("bound") }).await;
    assert_discreet(&gateway).await;
}
