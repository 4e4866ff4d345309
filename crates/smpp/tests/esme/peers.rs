//! Peers that break the rules, written by hand.

use std::time::Duration;

use smpp::codec::{Body, CommandStatus, FrameError, Pdu, SubmitSmResp};
use smpp::esme::{CloseReason, EsmeSettings, Event, LinkError};

use crate::peer::bound;

#[tokio::test]
async fn odd_pdus_do_not_end_the_session() {
    let (mut bound, mut peer) = bound(|settings| settings).await;

    // An unknown command, and a deliver_sm that ends in its source address.
    peer.write(b"\0\0\0\x10\0\0\x07\x77\0\0\0\0\0\0\0\x05").await;
    peer.write(b"\0\0\0\x13\0\0\0\x05\0\0\0\0\0\0\0\x06\0\x01\x01").await;

    let (first, second) = (peer.read().await, peer.read().await);
    assert_eq!((first.status, first.sequence, first.body), (CommandStatus::RINVCMDID, 5, Body::GenericNack));
    assert_eq!(
        (second.status, second.sequence, second.body),
        (CommandStatus::RINVCMDLEN, 6, Body::GenericNack)
    );
    bound.submit([1]).await;
    let submit = peer.read().await;
    peer.send(Pdu::ok(submit.sequence, Body::SubmitSmResp(SubmitSmResp { message_id: "x".into() }))).await;
    assert!(matches!(bound.event().await, Event::Responded(response) if response.message_id == "x"));
    assert_eq!(bound.esme.stats().unexpected, 2);
}

#[tokio::test]
async fn response_without_a_body_is_an_answer() {
    let (mut bound, mut peer) = bound(|settings| settings).await;
    bound.submit([1, 2]).await;

    for status in [CommandStatus::RTHROTTLED, CommandStatus::ROK] {
        let submit = peer.read().await;
        let body = Body::SubmitSmResp(SubmitSmResp::default());
        let mut octets = Vec::new();
        Pdu { status: CommandStatus::RTHROTTLED, sequence: submit.sequence, body }
            .encode(&mut octets)
            .unwrap();
        octets[8..12].copy_from_slice(&status.0.to_be_bytes());
        peer.write(&octets).await;
    }

    for (token, status) in [(1, CommandStatus::RTHROTTLED), (2, CommandStatus::ROK)] {
        let Event::Responded(response) = bound.event().await else { panic!() };
        assert_eq!((response.token, response.status, response.message_id.as_str()), (token, status, ""));
    }
}

#[tokio::test]
async fn peer_that_answers_nothing_is_left() {
    let (mut bound, mut peer) = bound(|settings| EsmeSettings {
        enquire_link: Duration::from_millis(50),
        response_timeout: Duration::from_millis(200),
        ..settings
    })
    .await;

    assert_eq!(peer.read().await.body, Body::EnquireLink);

    let Event::Unbound { reason, .. } = bound.event().await else { panic!() };
    assert_eq!(reason, LinkError::Closed(CloseReason::LinkDead));
}

#[tokio::test]
async fn unbind_of_the_peer_is_answered_before_the_end() {
    let (mut bound, mut peer) = bound(|settings| settings).await;
    bound.submit([1]).await;
    peer.read().await;

    peer.send(Pdu::ok(7, Body::Unbind)).await;

    assert_eq!(peer.read().await, Pdu::ok(7, Body::UnbindResp));
    let Event::Unbound { reason, in_flight } = bound.event().await else { panic!() };
    assert_eq!(reason, LinkError::Closed(CloseReason::PeerUnbound));
    assert_eq!((in_flight[0].token, in_flight[0].reported), (1, false));
}

#[tokio::test]
async fn stream_out_of_step_ends_the_link() {
    let (mut bound, mut peer) = bound(|settings| settings).await;

    peer.write(b"HTTP/1.1 400 Bad Request\r\n").await;

    let Event::Unbound { reason, .. } = bound.event().await else { panic!() };
    assert!(matches!(reason, LinkError::Framing(FrameError::TooLong { .. })), "{reason:?}");
}
