//! Receipts and messages from the SMSC: answered when the owner says so, and brought again until then.

use std::time::Duration;

use smpp::codec::{CommandStatus, DeliverSm, MessageState};
use smpp::esme::{BindKind, EsmeSettings, Event};
use smpp::smsc::{Behaviour, FinalState, ReceiptFormat, Receipts};

use crate::harness::{Bound, settings, simulator, wait_counts};

fn with_receipts(format: ReceiptFormat) -> Behaviour {
    let retry = Duration::from_millis(50);
    Behaviour { receipts: Some(Receipts { format, retry, ..Receipts::default() }), ..Behaviour::default() }
}

#[tokio::test]
async fn receipt_names_the_message_and_its_state() {
    let undelivered = FinalState::from_word("UNDELIV", 21).unwrap();
    let mut behaviour = with_receipts(ReceiptFormat::Both);
    behaviour.receipts.as_mut().unwrap().outcomes = vec![(1, undelivered)];
    let smsc = simulator(behaviour).await;
    let mut bound = Bound::to(&smsc).await;

    bound.submit([1]).await;
    let receipt = bound.delivery().await;

    assert!(receipt.message.is_receipt());
    assert_eq!(receipt.message.tlvs.receipted_message_id(), Some("1"));
    assert_eq!(receipt.message.tlvs.message_state(), Some(MessageState::Undeliverable.as_u8()));
    assert_eq!(receipt.message.source.value, "255700000001");
    receipt.answer(CommandStatus::ROK);
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn refused_delivery_comes_again() {
    let smsc = simulator(with_receipts(ReceiptFormat::Text)).await;
    let mut bound = Bound::to(&smsc).await;
    bound.submit([1]).await;

    bound.delivery().await.answer(CommandStatus::RX_T_APPN);
    let again = bound.delivery().await;

    assert_eq!(smsc.counts().borrow().delivered, 0);
    again.answer(CommandStatus::ROK);
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn unanswered_delivery_comes_again_over_the_next_link() {
    let smsc = simulator(with_receipts(ReceiptFormat::Both)).await;
    let mut bound = Bound::to(&smsc).await;
    bound.submit([1]).await;
    let stale = bound.delivery().await;

    smsc.kill();
    smsc.revive().await.unwrap();
    bound.wait_bound().await;
    let fresh = bound.delivery().await;

    // The answer to the old link's delivery must not pass for one of the new link.
    stale.answer(CommandStatus::ROK);
    fresh.answer(CommandStatus::ROK);
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn receipts_wait_for_a_receiver_of_the_same_system() {
    let smsc = simulator(with_receipts(ReceiptFormat::Both)).await;
    let bind = |kind, system_id: &str| EsmeSettings {
        kind,
        system_id: system_id.into(),
        ..settings(smsc.address())
    };
    let mut transmitter = Bound::spawn(bind(BindKind::Transmitter, "acme")).await;
    let mut stranger = Bound::spawn(bind(BindKind::Receiver, "other")).await;
    transmitter.submit([1]).await;
    assert!(matches!(transmitter.event().await, Event::Responded(_)));

    let mut receiver = Bound::spawn(bind(BindKind::Receiver, "acme")).await;
    receiver.delivery().await.answer(CommandStatus::ROK);

    wait_counts(&smsc, |counts| counts.delivered == 1).await;
    assert!(stranger.events.try_recv().is_err() && transmitter.events.try_recv().is_err());
}

#[tokio::test]
async fn several_esmes_are_served_at_once() {
    let smsc = simulator(with_receipts(ReceiptFormat::Tlv)).await;
    let mut esmes = Vec::new();
    for name in ["a", "b", "c"] {
        esmes.push(Bound::spawn(EsmeSettings { system_id: name.into(), ..settings(smsc.address()) }).await);
    }

    for bound in &esmes {
        bound.submit(0..50).await;
    }
    for bound in &mut esmes {
        for _ in 0..50 {
            bound.delivery().await.answer(CommandStatus::ROK);
        }
    }

    wait_counts(&smsc, |counts| counts.delivered == 150 && counts.bound == 3).await;
}

#[tokio::test]
async fn messages_of_handsets_come_in() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::to(&smsc).await;

    smsc.deliver("acme", DeliverSm { short_message: b"STOP".to_vec(), ..DeliverSm::default() });
    let message = bound.delivery().await;

    assert_eq!((message.message.text(), message.message.is_receipt()), (b"STOP".as_slice(), false));
    message.answer(CommandStatus::ROK);
    wait_counts(&smsc, |counts| counts.delivered == 1).await;
}
