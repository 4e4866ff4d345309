//! One id, from the request over HTTP to the webhook of its receipt: in the logs of two instances, of which one submits and
//! the other hears the receipt, and in what they write.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use smpp::smsc::{Behaviour, Receipts, Span};
use testkit::database::TestDb;
use testkit::program::Program;
use testkit::wait::wait_for;
use testkit::webhooks::{Receiver, SECRET};
use tokio::time::Duration;

use crate::cases::{ACME, message};
use crate::statuses::{Statuses, Tail};
use crate::world::{KEY, World, simulator, simulator_table};

const FOLLOW: [(&str, &str); 1] = [("telemetry.level", "info,follow=debug")];

/// The lines of a log that tell of a trace.
fn steps(program: &Program, trace: &str) -> Vec<Value> {
    let log = program.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "follow" && line["trace.id"] == trace).collect()
}

/// Those that say this.
fn saying<'a>(steps: &'a [Value], message: &str) -> Vec<&'a Value> {
    steps.iter().filter(|line| line["message"] == message).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_id_is_in_every_step_from_the_request_to_the_webhook_of_its_receipt() {
    let (world, db, receiver) = (World::shared().await, TestDb::postgres().await, Receiver::start(&[SECRET]));
    // Not before the answer is stored, whichever of the two instances is slow.
    let later = Duration::from_secs(1);
    let receipts = Receipts { delay: Span { min: later, max: later }, ..Receipts::default() };
    let smsc = simulator(Behaviour { receipts: Some(receipts), ..Behaviour::default() }, 9).await;
    let hook = format!(
        "[[sms_gateway.webhooks]]\nname = \"hook\"\nclient = \"{ACME}\"\nurl = \"{}\"\nsecrets = [\"{SECRET}\"]\n",
        receiver.url("hook")
    );
    let bound = |bind: &str| format!("{}bind = \"{bind}\"\n{hook}", simulator_table(&smsc));
    let submitting = world.gateway_with(&db, &bound("transmitter"), &FOLLOW).await;
    let hearing = world.gateway_with(&db, &bound("receiver"), &FOLLOW).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let taken = requests.clone();
    let _tail = Tail::of(&world.bus, &world.send, move |record| {
        taken.lock().unwrap().extend(record.headers.get_str("traceparent").map(str::to_owned));
    });
    // As a proxy makes it: 32 hexadecimal digits.
    let id = uuid::Uuid::new_v4().simple().to_string();

    let request = world.maker().request(ACME, "followed", &message("hush, this stays out of every log"));
    let call = hearing.http.with_token(KEY).request(Method::POST, "/v1/sms").header("x-request-id", &id);
    let answer = hearing.http.send(call.json(&json!(request))).await.expect(202);

    assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    let said = statuses.wait("followed", 2).await;
    let told = receiver.taken(2).await;
    let of = |program: &Program| steps(program, &id);
    let both = || of(&submitting).into_iter().chain(of(&hearing)).collect::<Vec<Value>>();
    // Each task writes its own line: the last one in time need not be the last one to be written.
    let is_finished = |all: &Vec<Value>| {
        let outcome =
            |line: &&&Value| ["accepted", "receipt"].map(|word| json!(word)).contains(&line["outcome"]);
        let heard = saying(all, "an SMSC has said what became of a segment");
        saying(all, "a receiver was told of a status").len() == 2 && heard.iter().filter(outcome).count() == 2
    };
    let all = wait_for("the last step in a log", || async { Some(both()).filter(is_finished) }).await;

    assert_eq!(saying(&of(&hearing), "an SMS request is on the bus").len(), 1);
    let queued = saying(&all, "an SMS request was taken in");
    assert_eq!(
        (queued.len(), &queued[0]["outcome"], &queued[0]["correl.id"]),
        (1, &json!("queued"), &json!("followed"))
    );
    let left = of(&submitting);
    let left = saying(&left, "a segment goes to the SMSC");
    assert_eq!((left.len(), &left[0]["smsc"]), (1, &json!("main")));
    let mut heard = saying(&all, "an SMSC has said what became of a segment");
    // The simulator of a loaded machine may answer later than the gateway waits.
    heard.retain(|line| line["outcome"] != "unknown");
    let outcomes: Vec<&Value> = heard.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["accepted", "receipt"]);
    assert_eq!(saying(&of(&hearing), "an SMSC has said what became of a segment").len(), 1, "the receipt");
    let message_id = said[0].status.recall_id.clone().unwrap();
    assert!(heard.iter().all(|line| line["smsc.message_id"] == message_id), "{heard:?}");
    let stored = saying(&all, "a status is stored, and on its way to the bus");
    let stored: Vec<&Value> = stored.iter().map(|line| &line["status"]).collect();
    assert_eq!(stored, ["SENT", "DELIVERED"]);

    let headers = || async { Some(requests.lock().unwrap().clone()).filter(|headers| !headers.is_empty()) };
    let headers = wait_for("the request on its topic", headers).await;
    let spans = said.iter().map(|one| one.record.headers.get_str("traceparent").unwrap().to_owned());
    let hooks = told.iter().map(|one| one.traceparent.clone().unwrap());
    let written: Vec<String> = headers.into_iter().chain(spans).chain(hooks).collect();
    assert_eq!(written.len(), 5, "a request, two statuses, two webhooks: {written:?}");
    assert!(written.iter().all(|header| header.split('-').nth(1) == Some(&id)), "{written:?}");
    for program in [&submitting, &hearing] {
        let log = program.log();
        assert!(!log.contains("hush") && !log.contains("255123456789"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_record_has_no_trace_is_followed_by_the_id_of_its_job() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let smsc = simulator(Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() }, 9).await;
    let gateway = world.gateway_with(&db, &simulator_table(&smsc), &FOLLOW).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    world.request(&world.maker().request(ACME, "untraced", &message("hello"))).await;
    let said = statuses.wait("untraced", 2).await;

    let operator = gateway.internal.with_token(testkit::host::ADMIN_TOKEN);
    let path = format!("/internal/sms-gateway/v1/attempts?client={ACME}&correl-id=untraced");
    let found = operator.get(&path).await.expect(200).value();
    let attempt = &found["attempts"][0];
    let trace = attempt["traceId"].as_str().unwrap();
    assert_eq!(attempt["id"].as_str().unwrap().replace('-', ""), trace);
    let spans = said.iter().map(|one| one.record.headers.get_str("traceparent").unwrap());
    assert!(spans.map(|span| &span[3..35]).all(|id| id == trace));
    assert_eq!(saying(&steps(&gateway, trace), "a segment goes to the SMSC").len(), 1);
}
