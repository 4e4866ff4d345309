//! One connection without a socket.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::codec::{BindResp, Body, SubmitSm, SubmitSmResp};

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

#[tokio::test]
async fn submissions_go_out_in_one_write_for_each_window() {
    let settings = EsmeSettings { window: WINDOW as usize, ..EsmeSettings::default() };
    let (queue, submissions) = mpsc::channel((WINDOWS * WINDOW) as usize);
    let (_queries, queries) = mpsc::channel(1);
    let (events, _events_out) = mpsc::channel(1000);
    let (_held, held) = watch::channel(false);
    let mut inputs = Inputs {
        submissions,
        queries,
        answers: Arc::default(),
        held,
        tls: Arc::default(),
        stop: CancellationToken::new(),
    };
    let mut outputs = Outputs::new(events, watch::Sender::new(EsmeState::Connecting), Arc::default());
    for token in 0..WINDOWS * WINDOW {
        queue.send(Submission { token, pdu: SubmitSm::default(), not_after: None }).await.unwrap();
    }
    let (ours, stream) = tokio::io::duplex(1024 * 1024);
    let (reader, inner) = tokio::io::split(ours);
    let writes = Arc::new(AtomicUsize::new(0));
    let mut pace = Pace::new(settings.pace(), now());
    let link = Link::new(&settings, 1, &mut pace, &mut inputs, &mut outputs);

    // The end of the peer is that of the link.
    tokio::join!(
        link.run(reader, Counting { inner, writes: Arc::clone(&writes) }),
        serve(Peer { stream, inbox: BytesMut::new() })
    );

    // The bind goes first.
    assert_eq!(writes.load(Ordering::Relaxed), 1 + WINDOWS as usize);
}
