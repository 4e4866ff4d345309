//! `smsc`: the simulator as a program.

mod options;

use std::time::Duration;

use smpp::codec::{Address, CommandStatus, SubmitSm};
use smpp::esme::{Esme, EsmeSettings, Event, Password, Submission};
use testkit::process::ports;
use testkit::wait::DEADLINE;
use tokio::sync::mpsc::Receiver;

use crate::program::{Place, Running};

fn settings(port: u16, password: &str) -> EsmeSettings {
    EsmeSettings {
        port,
        system_id: "acme".into(),
        password: Password::new(password),
        reconnect_min: Duration::from_millis(20),
        ..EsmeSettings::default()
    }
}

fn esme(port: u16, password: &str) -> (Esme, Receiver<Event>) {
    Esme::spawn(settings(port, password))
}

async fn next(events: &mut Receiver<Event>) -> Event {
    tokio::time::timeout(DEADLINE, events.recv()).await.expect("an event in time").expect("an event")
}

async fn port(smsc: &Running) -> u16 {
    let line = smsc.line("ready smpp=127.0.0.1:").await;
    line.rsplit_once(':').expect("a port").1.parse().expect("a port")
}

fn submission(token: u64) -> Submission {
    let pdu = SubmitSm {
        source: Address { ton: 5, npi: 0, value: "CLINIC".into() },
        destination: Address { ton: 1, npi: 1, value: "255712345678".into() },
        registered_delivery: 1,
        short_message: b"a secret".to_vec(),
        ..SubmitSm::default()
    };
    Submission { token, pdu, not_after: None }
}

#[tokio::test]
async fn a_message_is_accepted_and_its_receipt_follows_without_text_or_number_on_the_screen() {
    let place = Place::new();
    place.write("password", "hunter2\n");
    let mut smsc = place.start(
        "smsc --listen 127.0.0.1:0 --system-id acme --password-file password --message-id padded \
         --receipt-state UNDELIV --receipt-delay 10ms..20ms",
    );
    let (esme, mut events) = esme(port(&smsc).await, "hunter2");
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    esme.submit(vec![submission(1)]).await.expect("a submission");

    let Event::Responded(response) = next(&mut events).await else { panic!("no response") };
    assert_eq!((response.status, response.message_id.as_str()), (CommandStatus::ROK, "0000000001"));
    let Event::Deliver(delivery) = next(&mut events).await else { panic!("no receipt") };
    let text = String::from_utf8_lossy(delivery.message.text()).into_owned();
    assert!(text.contains("stat:UNDELIV"), "{text}");
    delivery.answer(CommandStatus::ROK);
    smsc.line("receipt esme=acme id=0000000001 answered=").await;
    let printed = smsc.stdout();
    assert!(printed.contains("bound esme=acme\n"), "{printed}");
    assert!(
        printed.contains("accepted esme=acme id=0000000001 to=+255*****78 coding=0 octets=8\n"),
        "{printed}"
    );
    assert!(!printed.contains("secret") && !printed.contains("255712345678"), "{printed}");
    smsc.signal("TERM");
    assert!(smsc.end().await.success());
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let place = Place::new();
    place.write("password", "hunter2");
    let smsc = place.start("smsc --listen 127.0.0.1:0 --system-id acme --password-file password");

    let (_esme, _events) = esme(port(&smsc).await, "wrong");

    smsc.line("bind-refused esme=acme status=").await;
}

#[tokio::test]
async fn messages_are_refused_as_the_options_say() {
    for (option, status) in
        [("--throttle 1", CommandStatus::RTHROTTLED), ("--refuse RINVDSTADR", CommandStatus::RINVDSTADR)]
    {
        let smsc = Place::new().start(&format!("smsc --listen 127.0.0.1:0 {option}"));
        let (esme, mut events) = esme(port(&smsc).await, "any");
        assert!(matches!(next(&mut events).await, Event::Bound { .. }));

        esme.submit(vec![submission(1)]).await.expect("a submission");

        let Event::Responded(response) = next(&mut events).await else { panic!("no response") };
        assert_eq!(response.status, status, "{option}");
        smsc.line("refused esme=acme status=").await;
    }
}

#[test]
fn refusals_cannot_be_more_than_all() {
    let too_much = "smsc --listen 127.0.0.1:0 --refuse RINVDSTADR=0.6 RSYSERR=0.6";
    assert!(Place::new().sealpost(too_much).refusal().contains("at most 1"));
}

#[tokio::test]
async fn it_dies_and_lives_again_and_says_so() {
    // Nobody else may be given its port while it is dead.
    let listen = format!("127.0.0.1:{}", ports::free());
    let smsc = Place::new()
        .start(&format!("smsc --listen {listen} --die-after 1 --revive-after 50ms --no-receipts"));
    let (esme, mut events) = esme(port(&smsc).await, "any");
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    esme.submit(vec![submission(1)]).await.expect("a submission");

    assert!(matches!(next(&mut events).await, Event::Unbound { .. }));
    smsc.line("died").await;
    smsc.line("revived").await;
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));
}

#[tokio::test]
async fn receipts_have_the_shape_that_was_asked_for() {
    let smsc = Place::new()
        .start("smsc --listen 127.0.0.1:0 --message-id hex --receipt-shape bare --receipt-format text");
    let (esme, mut events) = esme(port(&smsc).await, "any");
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    esme.submit(vec![submission(1)]).await.expect("a submission");

    assert!(matches!(next(&mut events).await, Event::Responded(_)));
    let Event::Deliver(delivery) = next(&mut events).await else { panic!("no receipt") };
    assert_eq!(delivery.message.text(), b"id:1 stat:DELIVRD");
}

#[test]
fn help_tells_how_to_repeat_a_run_and_shows_examples() {
    let help = Place::new().sealpost("smsc --help").ok();

    for said in ["The same --seed", "Examples:", "sealpost smsc --tps 50", "Faults:", "--tls-client-ca"] {
        assert!(help.contains(said), "{said} is missing in {help}");
    }
}

#[test]
fn every_example_of_the_help_is_understood() {
    let help = Place::new().sealpost("smsc --help").ok();
    let examples: Vec<&str> =
        help.lines().filter_map(|line| line.trim().strip_prefix("sealpost smsc")).collect();

    assert_eq!(examples.len(), 5, "{help}");
    for example in examples {
        // A file that is not there ends it at once; arguments that do not fit would end it before, with exit code 2.
        let last = " --system-id acme --password-file missing";
        let refusal = Place::new().sealpost(&format!("smsc{example}{last}")).refusal();
        assert!(refusal.starts_with("missing: No such file"), "{refusal}");
    }
}

#[test]
fn files_for_tls_are_read_before_it_listens() {
    let place = Place::new();
    place.write("smsc.pem", "");
    place.write("smsc.key", "");

    let refusal =
        place.sealpost("smsc --listen 127.0.0.1:0 --tls-certificate smsc.pem --tls-key smsc.key").refusal();

    assert_eq!(refusal, "smsc.pem: holds no certificate in PEM form");
}

#[test]
fn wrong_ids_cannot_be_more_than_all() {
    let refusal =
        Place::new().sealpost("smsc --listen 127.0.0.1:0 --wrong-id another=0.6 empty=0.6").refusal();

    assert!(refusal.contains("together they are at most 1"), "{refusal}");
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");

    let refusal = Place::new().sealpost(&format!("smsc --listen {address}")).refusal();

    assert!(refusal.starts_with(&format!("{address}: Address already in use")), "{refusal}");
}
