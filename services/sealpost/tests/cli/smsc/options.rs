//! What each option does to an ESME: answers, receipts, binds.

use std::time::{Duration, Instant};

use smpp::codec::{CommandStatus, QuerySm};
use smpp::esme::{
    CloseReason, Delivery, Esme, EsmeSettings, EsmeState, Event, LinkError, QueryError, Response,
};
use testkit::wait::DEADLINE;
use tokio::sync::mpsc::Receiver;

use super::{next, port, settings, submission};
use crate::program::{Place, Running};

/// How long an answer may take that does not come; it still comes as a late one when it is later.
const PATIENCE: Duration = Duration::from_secs(10);

fn start(options: &str) -> Running {
    Place::new().start(&format!("smsc --listen 127.0.0.1:0 {options}"))
}

/// An ESME that is bound to it.
async fn bound(smsc: &Running, change: impl FnOnce(EsmeSettings) -> EsmeSettings) -> (Esme, Receiver<Event>) {
    let (esme, mut events) = Esme::spawn(change(settings(port(smsc).await, "any")));
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));
    (esme, events)
}

fn impatient(settings: EsmeSettings) -> EsmeSettings {
    EsmeSettings { window: 100, response_timeout: PATIENCE, ..settings }
}

/// Goes on at once after it was throttled.
fn unpaced(settings: EsmeSettings) -> EsmeSettings {
    EsmeSettings { throttle_pause: Duration::ZERO, tps: Some(1e6), ..settings }
}

fn answer(Response { status, message_id, .. }: Response) -> String {
    match status {
        CommandStatus::ROK => format!("taken as {message_id:?}"),
        status => status.name().expect("a name").to_owned(),
    }
}

fn receipt(delivery: Delivery) -> String {
    // A text in its TLV, which the shape does not ask for, is that of a data_sm.
    let kind = if delivery.message.short_message.is_empty() { "data_sm" } else { "receipt" };
    let id = delivery.message.tlvs.receipted_message_id().expect("an id");
    let told = format!("{kind} of {id:?}");
    delivery.answer(CommandStatus::ROK);
    told
}

fn told(event: Event) -> String {
    match event {
        Event::Responded(response) => answer(response),
        Event::Deliver(delivery) => receipt(delivery),
        Event::Unknown { .. } => "silence".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Sends one message, and gives all that is told of it.
async fn story(esme: &Esme, events: &mut Receiver<Event>) -> Vec<String> {
    esme.submit(vec![submission(1)]).await.expect("a submission");
    let mut story = Vec::new();
    loop {
        let event = next(events).await;
        let last = !matches!(event, Event::Deliver(_));
        story.push(told(event));
        if last {
            break;
        }
    }
    // Receipts without a delay leave before the answer to what is asked later.
    let asked = esme.query(QuerySm::default()).await;
    assert_eq!(asked, Err(QueryError::Refused(CommandStatus::RQUERYFAIL)));
    story.extend(std::iter::from_fn(|| events.try_recv().ok()).map(told));
    story
}

#[tokio::test]
async fn a_message_has_the_answer_and_the_receipt_that_the_options_say() {
    let cases: [(&str, &[&str]); 14] = [
        ("", &["taken as \"2\"", "receipt of \"2\""]),
        ("--throttle 1", &["ESME_RTHROTTLED"]),
        ("--queue-full 1", &["ESME_RMSGQFUL"]),
        ("--tps 0", &["ESME_RTHROTTLED"]),
        ("--wrong-id another", &["taken as \"1\"", "receipt of \"2\""]),
        ("--wrong-id never-given", &["taken as \"9000000002\"", "receipt of \"2\""]),
        ("--wrong-id empty", &["taken as \"\"", "receipt of \"2\""]),
        ("--receipt-wrong-id another", &["taken as \"2\"", "receipt of \"1\""]),
        ("--receipt-id padded", &["taken as \"2\"", "receipt of \"0000000002\""]),
        ("--receipt-first 1", &["receipt of \"2\"", "taken as \"2\""]),
        ("--receipt-twice 1", &["taken as \"2\"", "receipt of \"2\"", "receipt of \"2\""]),
        ("--receipt-data-sm 1", &["taken as \"2\"", "data_sm of \"2\""]),
        ("--receipt-drop 1", &["taken as \"2\""]),
        ("--no-receipts", &["taken as \"2\""]),
    ];

    for (options, expected) in cases {
        let smsc = start(options);
        let (esme, mut events) = bound(&smsc, unpaced).await;
        story(&esme, &mut events).await;

        // The first message has none before it, whose id it could be given.
        assert_eq!(story(&esme, &mut events).await, expected, "{options}");
    }
}

async fn unanswered(options: &str, expected: &[&str]) {
    let smsc = start(options);
    let (esme, mut events) = bound(&smsc, impatient).await;

    let mut story = story(&esme, &mut events).await;

    // On a slow machine the receipt may be the later one.
    story.sort_unstable();
    assert_eq!(story, expected, "{options}");
}

#[tokio::test]
async fn a_message_without_an_answer_was_accepted_or_lost_as_the_options_say() {
    tokio::join!(
        unanswered("--drop 1", &["receipt of \"1\"", "silence"]),
        unanswered("--lose 1", &["silence"])
    );
}

/// Tells of each of some messages whether it is answered.
async fn answered(options: &str) -> Vec<bool> {
    const COUNT: u64 = 24;
    let smsc = start(&format!("--no-receipts {options}"));
    let (esme, mut events) = bound(&smsc, impatient).await;
    esme.submit((0..COUNT).map(submission).collect()).await.expect("submissions");
    let mut answered: Vec<(u64, bool)> = Vec::new();
    while answered.len() < COUNT as usize {
        answered.push(match next(&mut events).await {
            Event::Responded(response) => (response.token, true),
            Event::Unknown { token } => (token, false),
            other => panic!("{other:?}"),
        });
    }
    answered.sort_unstable();
    answered.into_iter().map(|(_, is_answered)| is_answered).collect()
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    let (first, again, other, default) = tokio::join!(
        answered("--seed 7 --drop 0.5"),
        answered("--seed 7 --drop 0.5"),
        answered("--seed 8 --drop 0.5"),
        answered("--drop 0.5")
    );

    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_ne!(first, default);
}

#[tokio::test]
async fn answers_come_late_or_out_of_order_as_the_options_say() {
    let cases = [("", 0, true), ("--latency 200ms", 200, true), ("--reorder 0.5", 0, false)];

    for (options, least, in_order) in cases {
        let smsc = start(&format!("--no-receipts {options}"));
        let (esme, mut events) = bound(&smsc, |settings| settings).await;
        esme.submit((0..10).map(submission).collect()).await.expect("submissions");

        let mut tokens = Vec::new();
        while tokens.len() < 10 {
            let Event::Responded(response) = next(&mut events).await else { panic!("no response") };
            assert!(response.took >= Duration::from_millis(least), "{options}: {:?}", response.took);
            tokens.push(response.token);
        }

        assert_eq!(tokens.is_sorted(), in_order, "{options}: {tokens:?}");
    }
}

#[tokio::test]
async fn a_receipt_comes_after_its_delay_and_its_answer_does_not_wait() {
    let smsc = start("--receipt-delay 1h");
    let (esme, mut events) = bound(&smsc, |settings| settings).await;
    let at_once = story(&esme, &mut events).await;
    let smsc = start("--receipt-delay 2s");
    let (esme, mut events) = bound(&smsc, |settings| settings).await;
    let submitted = Instant::now();

    esme.submit(vec![submission(1)]).await.expect("a submission");

    assert_eq!(at_once, ["taken as \"1\""]);
    assert_eq!(told(next(&mut events).await), "taken as \"1\"");
    assert_eq!(told(next(&mut events).await), "receipt of \"1\"");
    assert!(submitted.elapsed() >= Duration::from_secs(2), "{:?}", submitted.elapsed());
}

async fn refused(esme: &Esme, status: CommandStatus) {
    let refused = EsmeState::Waiting { error: LinkError::Closed(CloseReason::Refused(status)) };
    let mut state = esme.watch();
    let waiting = state.wait_for(|state| *state == refused);
    tokio::time::timeout(DEADLINE, waiting).await.expect("a refusal in time").expect("an ESME that runs");
}

#[tokio::test]
async fn binds_are_refused_with_the_status_and_for_the_time_that_was_asked_for() {
    // The time runs from the start of the program, of which the first bind may come seconds later.
    const REFUSED: Duration = Duration::from_secs(10);
    let started = Instant::now();
    let smsc = start(&format!("--refuse-binds RALYBND={}s", REFUSED.as_secs()));
    let settings =
        EsmeSettings { reconnect_max: Duration::from_millis(100), ..settings(port(&smsc).await, "any") };

    let (esme, mut events) = Esme::spawn(settings);

    refused(&esme, CommandStatus::RALYBND).await;
    smsc.line("bind-refused esme=acme status=ESME_RALYBND").await;
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));
    assert!(started.elapsed() >= REFUSED, "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_esme_has_no_more_binds_than_the_option_says() {
    let smsc = start("--max-binds 2");
    let _first = bound(&smsc, |settings| settings).await;
    let _second = bound(&smsc, |settings| settings).await;

    let (third, _events) = Esme::spawn(settings(port(&smsc).await, "any"));

    refused(&third, CommandStatus::RALYBND).await;
    bound(&smsc, |settings| EsmeSettings { system_id: "other".into(), ..settings }).await;
}

#[tokio::test]
async fn a_mute_one_answers_messages_but_no_enquiries() {
    let smsc = start("--mute --no-receipts");
    // Time enough for a message before the first enquiry.
    let watchful = |settings| EsmeSettings {
        enquire_link: Duration::from_secs(1),
        response_timeout: PATIENCE,
        ..settings
    };
    let (esme, mut events) = bound(&smsc, watchful).await;

    esme.submit(vec![submission(1)]).await.expect("a submission");

    assert_eq!(told(next(&mut events).await), "taken as \"1\"");
    let Event::Unbound { reason, .. } = next(&mut events).await else { panic!("still bound") };
    assert_eq!(reason, LinkError::Closed(CloseReason::LinkDead));
}
