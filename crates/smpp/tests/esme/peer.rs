//! The SMSC's side of one connection, moved by hand.

use std::pin::pin;

use bytes::BytesMut;
use smpp::codec::{Bind, BindResp, Body, DEFAULT_MAX_FRAME, Pdu, split_frame};
use smpp::esme::EsmeSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Bound, DEADLINE, settings};

pub(crate) struct Peer {
    stream: TcpStream,
    inbox: BytesMut,
    /// What the ESME has bound with.
    pub(crate) bind: Bind,
}

impl Peer {
    /// Answers the bind over a connection. An ESME that has waited too long for that is gone, and comes again.
    async fn let_in(stream: TcpStream, answer: &BindResp) -> Self {
        let mut peer = Self { stream, inbox: BytesMut::new(), bind: Bind::default() };
        let request = peer.read().await;
        let Body::BindTransceiver(bind) = request.body else { panic!("{request:?}") };
        peer.bind = bind;
        let mut octets = Vec::new();
        Pdu::ok(request.sequence, Body::BindTransceiverResp(answer.clone())).encode(&mut octets).unwrap();
        let _ = peer.stream.write_all(&octets).await;
        peer
    }

    pub(crate) async fn read(&mut self) -> Pdu {
        loop {
            if let Some(frame) = split_frame(&mut self.inbox, DEFAULT_MAX_FRAME).unwrap() {
                return Pdu::decode(&frame).unwrap();
            }
            let read = tokio::time::timeout(DEADLINE, self.stream.read_buf(&mut self.inbox)).await;
            assert!(read.expect("a PDU in time").unwrap() > 0, "closed");
        }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    pub(crate) async fn send(&mut self, pdu: Pdu) {
        let mut octets = Vec::new();
        pdu.encode(&mut octets).unwrap();
        self.write(&octets).await;
    }
}

/// An ESME that has bound to a peer.
pub(crate) async fn bound(change: impl FnOnce(EsmeSettings) -> EsmeSettings) -> (Bound, Peer) {
    bound_with(change, BindResp::default()).await
}

/// An ESME that has bound as transceiver to a peer that answered so.
pub(crate) async fn bound_with(
    change: impl FnOnce(EsmeSettings) -> EsmeSettings,
    answer: BindResp,
) -> (Bound, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = change(settings(listener.local_addr().unwrap()));
    let mut binding = pin!(Bound::spawn(settings));
    let mut peer = None;
    loop {
        tokio::select! {
            bound = &mut binding => return (bound, peer.expect("the one that let it in")),
            accepted = listener.accept() => peer = Some(Peer::let_in(accepted.unwrap().0, &answer).await),
        }
    }
}
