//! Our ESME against each of them, alive and killed.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use smpp::codec::{Address, CommandStatus, SubmitSm};
use smpp::esme::{Esme, EsmeSettings, EsmeState, Event, Password, Submission};
use tokio::sync::mpsc::Receiver;

use super::{PASSWORD, Peer, PeerSmsc, SYSTEM_ID};
use crate::wait::{DEADLINE, wait_until};

fn settings(smsc: &PeerSmsc, password: &str) -> EsmeSettings {
    EsmeSettings {
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
        not_after: None,
        pdu: SubmitSm {
            source: address(5, "ACME"),
            destination: address(1, "255700000001"),
            registered_delivery: 1,
            short_message: text(token).into_bytes(),
            ..SubmitSm::default()
        },
    };
    esme.submit(tokens.into_iter().map(submission).collect()).await.unwrap();
}

/// Reads events until each of these tokens has a response, and each response its receipt.
async fn responses_and_receipts(events: &mut Receiver<Event>, tokens: Range<u64>) {
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

fn text(token: u64) -> String {
    format!("message {token}")
}

async fn submissions_are_answered_and_receipted(peer: Peer) {
    let smsc = PeerSmsc::start(peer).await.unwrap();
    let (esme, mut events) = Esme::spawn(settings(&smsc, PASSWORD));
    assert!(matches!(next(&mut events).await, Event::Bound { .. }));

    submit(&esme, 0..200).await;
    responses_and_receipts(&mut events, 0..200).await;

    let (sent, seen): (HashSet<_>, HashSet<_>) =
        ((0..200).map(text).collect(), smsc.texts().into_iter().collect());
    assert_eq!((seen, smsc.texts().len()), (sent, 200));
    assert!(smsc.events("submit_sm").iter().all(|event| event["to"] == "255700000001"));
    let answers = || smsc.events("deliver_sm_resp");
    wait_until("every receipt to be answered", || async { answers().len() == 200 }).await;
    assert!(answers().iter().all(|answer| answer["status"] == 0));
    esme.shutdown().await;
    wait_until("the farewell", || async { smsc.events("unbind").len() == 1 }).await;
}

async fn work_goes_on_after_a_kill_and_a_restart(peer: Peer) {
    let mut smsc = PeerSmsc::start(peer).await.unwrap();
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
    assert_eq!(smsc.binds(), 2);
}

async fn wrong_password_raises_the_alarm(peer: Peer) {
    let smsc = PeerSmsc::start(peer).await.unwrap();
    let (esme, _events) = Esme::spawn(settings(&smsc, "wrong"));

    let mut state = esme.watch();
    let alarm = state.wait_for(|state| matches!(state, EsmeState::Alarm { .. }));

    tokio::time::timeout(DEADLINE, alarm).await.expect("the alarm in time").unwrap();
    assert_eq!(smsc.binds(), 0);
}

/// A module of tests for each peer.
macro_rules! peers {
    ($($module:ident: $peer:expr => $($test:ident)*;)*) => {$(
        mod $module {
            use super::*;

            $(#[tokio::test]
            async fn $test() {
                super::$test($peer).await;
            })*
        }
    )*};
}

peers! {
    node: Peer::Node =>
        submissions_are_answered_and_receipted work_goes_on_after_a_kill_and_a_restart wrong_password_raises_the_alarm;
    perl: Peer::Perl =>
        submissions_are_answered_and_receipted work_goes_on_after_a_kill_and_a_restart wrong_password_raises_the_alarm;
    smpp34: Peer::Smpp34 => submissions_are_answered_and_receipted work_goes_on_after_a_kill_and_a_restart;
}
