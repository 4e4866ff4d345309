//! `smsc`: the simulator as a program.

use std::time::Duration;

use smpp::codec::{Address, CommandStatus, SubmitSm};
use smpp::esme::{Esme, EsmeSettings, Event, Password, Submission};
use testkit::wait::DEADLINE;
use tokio::sync::mpsc::Receiver;

use crate::program::{Place, Running};

fn esme(port: u16, password: &str) -> (Esme, Receiver<Event>) {
    Esme::spawn(EsmeSettings {
        port,
        system_id: "acme".into(),
        password: Password::new(password),
        reconnect_min: Duration::from_millis(20),
        ..EsmeSettings::default()
    })
}

async fn next(events: &mut Receiver<Event>) -> Event {
    tokio::time::timeout(DEADLINE, events.recv()).await.expect("an event in time").expect("an event")
}

async fn port(smsc: &Running) -> u16 {
    let line = smsc.line("ready smpp=127.0.0.1:").await;
    line.rsplit_once(':').expect("a port").1.parse().expect("a port")
}

fn submission() -> Submission {
    let pdu = SubmitSm {
        source: Address { ton: 5, npi: 0, value: "CLINIC".into() },
        destination: Address { ton: 1, npi: 1, value: "255712345678".into() },
        registered_delivery: 1,
        short_message: b"a secret".to_vec(),
        ..SubmitSm::default()
    };
    Submission { token: 1, pdu }
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

    esme.submit(vec![submission()]).await.expect("a submission");

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
async fn faults_are_as_the_options_say() {
    let smsc = Place::new().start("smsc --listen 127.0.0.1:0 --throttle 1");
    let (esme, mut events) = esme(port(&smsc).await, "any");
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    esme.submit(vec![submission()]).await.expect("a submission");

    let Event::Responded(response) = next(&mut events).await else { panic!("no response") };
    assert_eq!(response.status, CommandStatus::RTHROTTLED);
    smsc.line("refused esme=acme status=").await;
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");

    let refusal = Place::new().sealpost(&format!("smsc --listen {address}")).refusal();

    assert!(refusal.starts_with(&format!("{address}: Address already in use")), "{refusal}");
}
