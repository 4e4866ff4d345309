//! One connection without a socket.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::codec::{BindResp, Body, DeliverSm, SubmitSm, SubmitSmResp};
use crate::session::InFlight;

/// Passes octets on, and counts how often it gets some.
struct Counting {
    inner: WriteHalf<DuplexStream>,
    writes: Arc<AtomicUsize>,
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The SMSC's side.
struct Peer {
    stream: DuplexStream,
    inbox: BytesMut,
}

impl Peer {
    async fn read(&mut self) -> Pdu {
        loop {
            if let Some(frame) = split_frame(&mut self.inbox, DEFAULT_MAX_FRAME).unwrap() {
                return Pdu::decode(&frame).unwrap();
            }
            assert!(self.stream.read_buf(&mut self.inbox).await.unwrap() > 0, "closed");
        }
    }

    async fn send(&mut self, pdus: impl IntoIterator<Item = Pdu>) {
        let mut octets = Vec::new();
        pdus.into_iter().for_each(|pdu| pdu.encode(&mut octets).unwrap());
        self.stream.write_all(&octets).await.unwrap();
    }
}

const WINDOW: u64 = 100;
const WINDOWS: u64 = 3;

/// Binds the link, and answers a window at a time.
async fn serve(mut peer: Peer) {
    let bind = peer.read().await;
    peer.send([Pdu::ok(bind.sequence, Body::BindTransceiverResp(BindResp::default()))]).await;
    for _ in 0..WINDOWS {
        let mut answers = Vec::new();
        for _ in 0..WINDOW {
            let sequence = peer.read().await.sequence;
            answers.push(Pdu::ok(sequence, Body::SubmitSmResp(SubmitSmResp::default())));
        }
        peer.send(answers).await;
    }
}

/// What a link is made of, and the owner's ends of it.
struct Parts {
    settings: EsmeSettings,
    inputs: Inputs,
    outputs: Outputs,
    queue: mpsc::Sender<Submission>,
    events: mpsc::Receiver<Event>,
    _queries: mpsc::Sender<Query>,
    _held: watch::Sender<bool>,
}

impl Parts {
    fn new() -> Self {
        let (queue, submissions) = mpsc::channel((WINDOWS * WINDOW) as usize);
        let (_queries, queries) = mpsc::channel(1);
        let (told, events) = mpsc::channel(1000);
        let (_held, held) = watch::channel(false);
        let inputs = Inputs {
            submissions,
            queries,
            answers: Arc::default(),
            held,
            tls: Arc::default(),
            stop: CancellationToken::new(),
        };
        let outputs = Outputs::new(told, watch::Sender::new(EsmeState::Connecting), Arc::default());
        let settings = EsmeSettings { window: WINDOW as usize, ..EsmeSettings::default() };
        Self { settings, inputs, outputs, queue, events, _queries, _held }
    }

    fn queue(&self, tokens: u64) {
        for token in 0..tokens {
            self.queue.try_send(Submission { token, pdu: SubmitSm::default(), not_after: None }).unwrap();
        }
    }
}

#[tokio::test]
async fn submissions_go_out_in_one_write_for_each_window() {
    let mut parts = Parts::new();
    parts.queue(WINDOWS * WINDOW);
    let (ours, stream) = tokio::io::duplex(1024 * 1024);
    let (reader, inner) = tokio::io::split(ours);
    let writes = Arc::new(AtomicUsize::new(0));
    let mut pace = Pace::new(parts.settings.pace(), now());
    let link = Link::new(&parts.settings, 1, &mut pace, &mut parts.inputs, &mut parts.outputs);

    // The end of the peer is that of the link.
    tokio::join!(
        link.run(reader, Counting { inner, writes: Arc::clone(&writes) }),
        serve(Peer { stream, inbox: BytesMut::new() })
    );

    // The bind goes first.
    assert_eq!(writes.load(Ordering::Relaxed), 1 + WINDOWS as usize);
}

/// Takes a submission and brings a receipt of the same number, whose answer it does not read.
async fn die_with_an_answer_on_its_way(mut peer: Peer, events: &mut mpsc::Receiver<Event>) {
    let bind = peer.read().await;
    peer.send([Pdu::ok(bind.sequence, Body::BindTransceiverResp(BindResp::default()))]).await;
    let sequence = peer.read().await.sequence;
    peer.send([Pdu::ok(sequence, Body::DeliverSm(DeliverSm::default()))]).await;
    loop {
        if let Event::Deliver(delivery) = events.recv().await.unwrap() {
            delivery.answer(CommandStatus::ROK);
            break;
        }
    }
    // For the link, to write as much of it as there is room for.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_was_not_written_says_nothing_of_a_submission_with_its_number() {
    let mut parts = Parts::new();
    parts.queue(1);
    // Less than any answer to a deliver_sm has.
    let (ours, stream) = tokio::io::duplex(16);
    let (reader, writer) = tokio::io::split(ours);
    let mut pace = Pace::new(parts.settings.pace(), now());
    let link = Link::new(&parts.settings, 1, &mut pace, &mut parts.inputs, &mut parts.outputs);

    tokio::join!(
        link.run(reader, writer),
        die_with_an_answer_on_its_way(Peer { stream, inbox: BytesMut::new() }, &mut parts.events)
    );

    let Event::Unbound { in_flight, .. } = parts.events.recv().await.unwrap() else { panic!("not sent?") };
    assert_eq!(in_flight, [InFlight { token: 0, reported: false }]);
}
