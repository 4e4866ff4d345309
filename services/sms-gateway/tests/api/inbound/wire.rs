//! An SMSC whose PDUs a test moves by hand, to see what is answered, and to go away before it is.

use std::time::Duration;

use bytes::BytesMut;
use smpp::codec::{Bind, Body, CommandStatus, DEFAULT_MAX_FRAME, Pdu, SubmitSmResp, split_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Gateway;
use crate::operators;

const DEADLINE: Duration = Duration::from_secs(20);

/// Where the gateway connects to.
pub(crate) struct Listening(TcpListener);

impl Listening {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits for the gateway's bind and lets it in.
    pub(crate) async fn bound(&self) -> Wire {
        let (stream, _) = tokio::time::timeout(DEADLINE, self.0.accept()).await.unwrap().unwrap();
        let mut wire = Wire { bind: Bind::default(), stream, inbox: BytesMut::new(), last: 0 };
        let request = wire.read().await;
        if let Body::BindTransceiver(bind) = &request.body {
            wire.bind = bind.clone();
        }
        assert!(matches!(request.body, Body::BindTransceiver(_)), "{request:?}");
        wire.send(Pdu::ok(request.sequence, Body::BindTransceiverResp(Default::default()))).await;
        wire
    }

    /// The same until the gateway knows that it is in: on a busy machine it may give a bind up before it is answered.
    pub(crate) async fn let_in(&self, gateway: &Gateway) -> Wire {
        loop {
            let wire = self.bound().await;
            tokio::select! {
                () = operators::bound(gateway) => return wire,
                // Hung up on, it comes again.
                _ = self.0.accept() => {}
            }
        }
    }
}

/// One connection of it.
pub(crate) struct Wire {
    /// What the gateway said of itself.
    pub(crate) bind: Bind,
    stream: TcpStream,
    inbox: BytesMut,
    last: u32,
}

impl Wire {
    async fn send(&mut self, pdu: Pdu) {
        let mut octets = Vec::new();
        pdu.encode(&mut octets).unwrap();
        self.stream.write_all(&octets).await.unwrap();
    }

    async fn read(&mut self) -> Pdu {
        loop {
            if let Some(frame) = split_frame(&mut self.inbox, DEFAULT_MAX_FRAME).unwrap() {
                return Pdu::decode(&frame).unwrap();
            }
            let read = tokio::time::timeout(DEADLINE, self.stream.read_buf(&mut self.inbox)).await;
            assert!(read.unwrap().unwrap() > 0, "closed");
        }
    }

    /// Brings something, and does not wait for the answer; gives its number.
    pub(crate) async fn bring(&mut self, body: Body) -> u32 {
        self.last += 1;
        self.send(Pdu::ok(self.last, body)).await;
        self.last
    }

    /// Waits for the answer to that.
    pub(super) async fn answer(&mut self, sequence: u32) -> (CommandStatus, Body) {
        loop {
            let Pdu { status, sequence: of, body } = self.read().await;
            if of == sequence && matches!(body, Body::DeliverSmResp | Body::DataSmResp(_)) {
                return (status, body);
            }
        }
    }

    /// Brings something, and gives the answer.
    pub(super) async fn ask(&mut self, body: Body) -> (CommandStatus, Body) {
        let sequence = self.bring(body).await;
        self.answer(sequence).await
    }

    /// Waits for a submission, and gives its number.
    pub(crate) async fn submitted(&mut self) -> u32 {
        loop {
            let pdu = self.read().await;
            if let Body::SubmitSm(_) = pdu.body {
                return pdu.sequence;
            }
        }
    }

    /// Takes a submission; its id is `m` and its number.
    pub(crate) async fn accept(&mut self, sequence: u32) {
        let body = Body::SubmitSmResp(SubmitSmResp { message_id: format!("m{sequence}") });
        self.send(Pdu::ok(sequence, body)).await;
    }

    /// Refuses a submission.
    pub(crate) async fn refuse(&mut self, sequence: u32, status: CommandStatus) {
        let body = Body::SubmitSmResp(SubmitSmResp::default());
        self.send(Pdu { status, sequence, body }).await;
    }

    /// Lets the gateway go as soon as it wants to, which must have nothing more to submit.
    pub(crate) async fn leave(mut self) {
        loop {
            let Pdu { sequence, body, .. } = self.read().await;
            assert!(!matches!(body, Body::SubmitSm(_)), "one submission more");
            if body == Body::Unbind {
                return self.send(Pdu::ok(sequence, Body::UnbindResp)).await;
            }
        }
    }
}
