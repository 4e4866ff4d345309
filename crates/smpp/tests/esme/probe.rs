//! One bind step by step: answers as they are, and nothing taken that belongs to others.

use std::time::Duration;

use smpp::codec::CommandStatus;
use smpp::esme::{EsmeSettings, Probe, ProbeError};
use smpp::smsc::{Behaviour, Binds, Receipts};
use tokio::time::Instant;

use crate::harness::{DEADLINE, message, settings, simulator, wait_counts};

fn soon() -> Instant {
    Instant::now() + DEADLINE
}

#[tokio::test]
async fn the_answer_to_a_bind_is_told_with_the_version() {
    let smsc = simulator(Behaviour::default()).await;
    let mut probe = Probe::connect(settings(smsc.address())).await.unwrap();

    let answer = probe.bind().await.unwrap();

    assert_eq!((answer.status, answer.body.tlvs.sc_interface_version()), (CommandStatus::ROK, Some(0x34)));
    assert_eq!(answer.body.system_id, "sealpost-smsc");
    probe.unbind().await;
    wait_counts(&smsc, |counts| counts.bound == 0).await;
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_is_not_tried_again() {
    let binds = Binds { refuse: Some(CommandStatus::RALYBND), ..Binds::default() };
    let smsc = simulator(Behaviour { binds, ..Behaviour::default() }).await;
    let mut probe = Probe::connect(settings(smsc.address())).await.unwrap();

    assert_eq!(probe.bind().await.unwrap().status, CommandStatus::RALYBND);
    assert_eq!(smsc.counts().borrow().binds, 0);
}

#[tokio::test]
async fn what_is_brought_is_kept_for_others_unless_it_is_answered() {
    let smsc = simulator(Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() }).await;
    let mut probe = Probe::connect(settings(smsc.address())).await.unwrap();
    probe.bind().await.unwrap();
    probe.submit(message(1)).await.unwrap();

    let brought = probe.receive(soon()).await.unwrap().unwrap();
    assert!(brought.message.is_receipt());
    probe.unbind().await;
    assert_eq!(smsc.counts().borrow().delivered, 0);

    let mut other = Probe::connect(settings(smsc.address())).await.unwrap();
    other.bind().await.unwrap();
    let again = other.receive(soon()).await.unwrap().unwrap();
    other.answer(&again, CommandStatus::ROK).await.unwrap();
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn silence_ends_in_time() {
    let smsc = simulator(Behaviour { drop_responses: 1.0, ..Behaviour::default() }).await;
    let response_timeout = Duration::from_secs(3);
    let settings = EsmeSettings { response_timeout, ..settings(smsc.address()) };
    let mut probe = Probe::connect(settings).await.unwrap();
    probe.bind().await.unwrap();

    let answer = probe.submit(message(1)).await;

    assert!(matches!(answer, Err(ProbeError::Silent(_))), "{answer:?}");
    assert!(probe.receive(Instant::now()).await.unwrap().is_none());
}
