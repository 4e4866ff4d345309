//! Our ESME against Net::SMPP, alive and killed.

use std::collections::HashSet;
use std::time::Duration;

use smpp::codec::{Address, CommandStatus, SubmitSm};
use smpp::esme::{Esme, EsmeSettings, EsmeState, Event, Password, Submission};
use tokio::sync::mpsc::Receiver;

use super::{PASSWORD, PerlSmsc, SYSTEM_ID};
use crate::wait::{DEADLINE, wait_until};

fn settings(smsc: &PerlSmsc, password: &str) -> EsmeSettings {
    EsmeSettings {
        name: "perl".into(),
        port: smsc.port(),
        system_id: SYSTEM_ID.into(),
        password: Password::new(password),
        reconnect_min: Duration::from_millis(20),
        reconnect_max: Duration::from_millis(100),
        ..EsmeSettings::default()
    }
}

async fn next(events: &mut Receiver<Event>) -> Event {
    tokio::time::timeout(DEADLINE, events.recv()).await.expect("an event in time").unwrap()
}

async fn submit(esme: &Esme, tokens: impl IntoIterator<Item = u64>) {
    let address = |ton, value: &str| Address { ton, npi: 1, value: value.into() };
    let submission = |token| Submission {
        token,
        pdu: SubmitSm {
            source: address(5, "ACME"),
            destination: address(1, "255700000001"),
            registered_delivery: 1,
            short_message: format!("message {token}").into_bytes(),
            ..SubmitSm::default()
        },
    };
    esme.submit(tokens.into_iter().map(submission).collect()).await.unwrap();
}

/// Reads events until each of these tokens has a response, and each response its receipt.
async fn responses_and_receipts(events: &mut Receiver<Event>, tokens: std::ops::Range<u64>) {
    let (mut waiting, mut ids, mut receipts) =
        (tokens.collect::<HashSet<_>>(), HashSet::new(), HashSet::new());
    while !waiting.is_empty() || ids != receipts {
        match next(events).await {
            Event::Responded(response) => {
                assert_eq!(response.status, CommandStatus::ROK);
                assert!(waiting.remove(&response.token) && ids.insert(response.message_id));
            }
            Event::Deliver(delivery) => {
                assert!(delivery.message.is_receipt());
                let id = delivery.message.tlvs.receipted_message_id().expect("the TLV").to_owned();
                assert!(receipts.insert(id));
                delivery.answer(CommandStatus::ROK);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn submissions_are_answered_and_receipted() {
    let smsc = PerlSmsc::start().await.unwrap();
    let (esme, mut events) = Esme::spawn(settings(&smsc, PASSWORD));
    assert!(matches!(next(&mut events).await, Event::Bound { system_id } if system_id == "perl-smsc"));

    submit(&esme, 0..200).await;
    responses_and_receipts(&mut events, 0..200).await;

    let texts: Vec<String> = (0..200).map(|token| format!("message {token}")).collect();
    assert_eq!(smsc.events("submit_sm"), texts);
    wait_until("every receipt to be answered", || async { smsc.events("deliver_sm_resp").len() == 200 })
        .await;
    esme.shutdown().await;
    assert_eq!(smsc.events("unbind").len(), 1);
}

#[tokio::test]
async fn work_goes_on_after_a_kill_and_a_restart() {
    let mut smsc = PerlSmsc::start().await.unwrap();
    let (esme, mut events) = Esme::spawn(settings(&smsc, PASSWORD));
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));
    submit(&esme, 0..20).await;
    responses_and_receipts(&mut events, 0..20).await;

    smsc.kill();
    assert!(matches!(next(&mut events).await, Event::Unbound { in_flight, .. } if in_flight.is_empty()));
    smsc.restart().await.unwrap();
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    submit(&esme, 20..40).await;
    responses_and_receipts(&mut events, 20..40).await;
    assert_eq!(esme.stats().binds, 2);
}

#[tokio::test]
async fn wrong_password_raises_the_alarm() {
    let smsc = PerlSmsc::start().await.unwrap();
    let (esme, _events) = Esme::spawn(settings(&smsc, "wrong"));

    let mut state = esme.watch();
    let alarm = state.wait_for(|state| *state == EsmeState::Alarm { status: CommandStatus::RINVPASWD });

    tokio::time::timeout(DEADLINE, alarm).await.expect("the alarm in time").unwrap();
}
