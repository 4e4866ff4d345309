//! An ESME that its owner wants unbound for a while.

use std::sync::Arc;
use std::time::Duration;

use smpp::codec::{CommandStatus, SubmitSm};
use smpp::esme::{CloseReason, EsmeSettings, EsmeState, Event, LinkError};
use smpp::smsc::{Behaviour, Plan, Receipts, Smsc, Span};

use crate::certificates::Certificates;
use crate::harness::{Bound, settings, simulator, wait_counts, wait_state};

const HOST: &str = "127.0.0.1";

/// An SMSC that takes its time.
async fn slow(latency: Duration) -> Smsc {
    let script = move |_: &SubmitSm, _: u64, plan: &mut Plan| plan.latency = latency;
    simulator(Behaviour { script: Some(Arc::new(script)), ..Behaviour::default() }).await
}

#[tokio::test]
async fn a_held_esme_waits_for_responses_unbinds_and_stays_so_until_it_is_let_go() {
    let smsc = slow(Duration::from_millis(200)).await;
    let mut bound = Bound::spawn(EsmeSettings { window: 1, ..settings(smsc.address()) }).await;
    bound.submit([1, 2]).await;
    wait_counts(&smsc, |counts| counts.accepted == 1).await;

    bound.esme.hold(true);

    // What was not sent comes back at once: it may go another way.
    assert!(matches!(bound.event().await, Event::NotSent { token: 2 }));
    assert_eq!(bound.response().await.token, 1);
    let Event::Unbound { reason, in_flight } = bound.event().await else { panic!() };
    assert_eq!((reason, in_flight.len()), (LinkError::Closed(CloseReason::Requested), 0));
    wait_counts(&smsc, |counts| counts.bound == 0).await;
    wait_state(&bound.esme, |state| *state == EsmeState::Held).await;
    bound.submit([3]).await;
    assert!(matches!(bound.event().await, Event::NotSent { token: 3 }));
    // Far above the wait before a new connection.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((bound.esme.state(), bound.esme.stats().binds), (EsmeState::Held, 1));

    bound.esme.hold(false);
    bound.wait_bound().await;
    bound.submit([4]).await;

    assert_eq!(bound.response().await.token, 4);
    assert_eq!(smsc.accepted().len(), 2);
}

#[tokio::test]
async fn deliveries_are_answered_while_responses_are_waited_for() {
    let smsc = slow(Duration::from_millis(800)).await;
    let delay = Span::exactly(Duration::ZERO);
    smsc.behave(|behaviour| behaviour.receipts = Some(Receipts { delay, ..Receipts::default() }));
    let mut bound = Bound::to(&smsc).await;
    bound.submit([1]).await;
    wait_counts(&smsc, |counts| counts.accepted == 1).await;

    bound.esme.hold(true);
    bound.delivery().await.answer(CommandStatus::ROK);

    wait_counts(&smsc, |counts| counts.delivered == 1).await;
    wait_state(&bound.esme, |state| *state == EsmeState::Held).await;
}

#[tokio::test]
async fn no_response_is_waited_for_longer_than_agreed() {
    let smsc = simulator(Behaviour { drop_responses: 1.0, ..Behaviour::default() }).await;
    let drain = Duration::from_millis(100);
    let mut bound = Bound::spawn(EsmeSettings { drain, ..settings(smsc.address()) }).await;
    bound.submit([1]).await;
    wait_counts(&smsc, |counts| counts.accepted == 1).await;

    bound.esme.hold(true);

    let Event::Unbound { in_flight, .. } = bound.event().await else { panic!() };
    assert_eq!(in_flight.iter().map(|left| left.token).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn one_that_begins_held_connects_to_nobody() {
    let smsc = simulator(Behaviour::default()).await;
    let (esme, mut events) = smpp::esme::Esme::spawn(EsmeSettings { held: true, ..settings(smsc.address()) });
    wait_state(&esme, |state| *state == EsmeState::Held).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(smsc.counts().borrow().binds, 0);

    esme.hold(false);

    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
    esme.hold(true);
    wait_state(&esme, |state| *state == EsmeState::Held).await;
    esme.shutdown().await;
    assert_eq!(esme.state(), EsmeState::Closed);
}

#[tokio::test]
async fn one_that_waits_for_its_smsc_can_be_held_and_shut_down() {
    let smsc = simulator(Behaviour::default()).await;
    smsc.kill();
    let reconnect_min = Duration::from_secs(3600);
    let settings = EsmeSettings { reconnect_min, reconnect_max: reconnect_min, ..settings(smsc.address()) };
    let (esme, mut events) = smpp::esme::Esme::spawn(settings);
    wait_state(&esme, |state| matches!(state, EsmeState::Waiting { .. })).await;

    esme.hold(true);
    wait_state(&esme, |state| *state == EsmeState::Held).await;
    smsc.revive().await.unwrap();
    esme.hold(false);

    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
}

#[tokio::test]
async fn other_certificates_are_used_from_the_next_connection_on() {
    let (ours, others) = (Certificates::of("Our CA"), Certificates::of("Another CA"));
    let smsc = ours.smsc(HOST).await;
    let tls = others.trusting().load(HOST).unwrap();
    let (esme, mut events) =
        smpp::esme::Esme::spawn(EsmeSettings { tls: Some(tls), ..settings(smsc.address()) });
    wait_state(&esme, |state| matches!(state, EsmeState::Waiting { .. })).await;

    esme.renew_tls(ours.trusting().load(HOST).unwrap());

    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
}
