//! Peers that break the rules, written by hand.

use std::time::Duration;

use bytes::BytesMut;
use smpp::codec::{
    BindResp, Body, CommandStatus, DEFAULT_MAX_FRAME, FrameError, Pdu, SubmitSmResp, split_frame,
};
use smpp::esme::{CloseReason, EsmeSettings, Event, LinkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Bound, DEADLINE, settings};

/// The SMSC's side of one connection.
struct Peer {
    stream: TcpStream,
    inbox: BytesMut,
}

impl Peer {
    async fn read(&mut self) -> Pdu {
        loop {
            if let Some(frame) = split_frame(&mut self.inbox, DEFAULT_MAX_FRAME).unwrap() {
                return Pdu::decode(&frame).unwrap();
            }
            let read = tokio::time::timeout(DEADLINE, self.stream.read_buf(&mut self.inbox)).await;
            assert!(read.expect("a PDU in time").unwrap() > 0, "closed");
        }
    }

    async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    async fn send(&mut self, pdu: Pdu) {
        let mut octets = Vec::new();
        pdu.encode(&mut octets).unwrap();
        self.write(&octets).await;
    }
}

/// An ESME that has bound to a hand-made peer.
async fn bound(change: impl FnOnce(EsmeSettings) -> EsmeSettings) -> (Bound, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = change(settings(listener.local_addr().unwrap()));
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer { stream, inbox: BytesMut::new() };
        let bind = peer.read().await;
        assert!(matches!(bind.body, Body::BindTransceiver(ref bind) if bind.interface_version == 0x34));
        peer.send(Pdu::ok(bind.sequence, Body::BindTransceiverResp(BindResp::default()))).await;
        peer
    };
    tokio::join!(Bound::spawn(settings), accept)
}

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
