//! No stall at any window, and the rate that was set.

use std::time::{Duration, Instant};

use smpp::codec::{Body, Pdu, SubmitSmResp};
use smpp::esme::{EsmeSettings, Event, Submission};
use smpp::smsc::{Behaviour, Span};

use crate::certificates::Certificates;
use crate::harness::{
    Bound, DEADLINE, accepted_tokens, message, settings, simulator, submission, wait_counts,
};
use crate::peer::bound;

const SUBMISSIONS: u64 = 20_000;

/// Submits to an SMSC of that behaviour; gives the tokens in the order of their responses.
async fn answered_tokens(window: usize, behaviour: Behaviour, count: u64) -> Vec<u64> {
    let smsc = simulator(behaviour).await;
    let bound = Bound::spawn(EsmeSettings { window, ..settings(smsc.address()) }).await;
    let tokens = answers(bound, count).await;

    assert_eq!(accepted_tokens(&smsc), (0..count).collect::<Vec<_>>());
    tokens
}

async fn answers(mut bound: Bound, count: u64) -> Vec<u64> {
    let esme = bound.esme.clone();
    let submitting = tokio::spawn(async move {
        let bound = Bound { esme, events: tokio::sync::mpsc::channel(1).1 };
        for chunk in 0..count / 100 {
            bound.submit(chunk * 100..(chunk + 1) * 100).await;
        }
    });
    let mut tokens = Vec::new();
    while tokens.len() < count as usize {
        match bound.event().await {
            Event::Responded(response) => {
                assert!(response.status.is_ok(), "{response:?}");
                tokens.push(response.token);
            }
            other => panic!("{other:?}"),
        }
    }
    submitting.await.unwrap();
    assert_eq!(bound.esme.stats().in_flight, 0);
    tokens
}

/// With a fast SMSC that keeps the order, and with one that does not.
async fn no_stall(window: usize) {
    let in_order: Vec<u64> = (0..SUBMISSIONS).collect();
    let shuffled = Behaviour {
        latency: Span { min: Duration::ZERO, max: Duration::from_millis(4) },
        ..Behaviour::default()
    };
    // As many as take about a second at this window.
    let count = (window as u64 * 200).clamp(200, 10_000);

    let fast = answered_tokens(window, Behaviour::default(), SUBMISSIONS).await;
    let mut slow = answered_tokens(window, shuffled, count).await;

    assert_eq!(fast, in_order);
    assert_eq!(slow.is_sorted(), window == 1, "answers are out of order with a window of more than 1");
    slow.sort_unstable();
    assert_eq!(slow, in_order[..count as usize]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_1_does_not_stall() {
    no_stall(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_2_does_not_stall() {
    no_stall(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_8_does_not_stall() {
    no_stall(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_10_does_not_stall() {
    no_stall(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_64_does_not_stall() {
    no_stall(64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_1000_does_not_stall() {
    no_stall(1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_does_not_stall_either() {
    let place = Certificates::new();
    let smsc = place.smsc("127.0.0.1").await;

    for window in [1, 64] {
        let tls = Some(place.trusting().load("127.0.0.1").unwrap());
        let bound = Bound::spawn(EsmeSettings { window, tls, ..settings(smsc.address()) }).await;
        let tokens = answers(bound, SUBMISSIONS / 4).await;
        assert!(tokens.is_sorted(), "window {window}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_holds_submissions_back_without_loss() {
    const COUNT: u64 = 600;
    let (mut bound, mut peer) = bound(|settings| EsmeSettings {
        window: 1000,
        queue: 10,
        // It is slow, but not dead.
        response_timeout: DEADLINE,
        ..settings
    })
    .await;
    let esme = bound.esme.clone();
    let mut submitting = tokio::spawn(async move {
        for token in 0..COUNT {
            let mut pdu = message(token);
            pdu.set_payload(vec![b'x'; 60_000]);
            esme.submit(vec![Submission { pdu, ..submission(token) }]).await.unwrap();
        }
    });

    // The sockets' buffers fill up, and then nothing more is taken, although the window has room.
    let finished = tokio::time::timeout(Duration::from_millis(500), &mut submitting).await;
    assert!(finished.is_err(), "36 MB were taken for a peer that reads nothing");
    let answering = tokio::spawn(async move {
        for _ in 0..COUNT {
            let submit = peer.read().await;
            peer.send(Pdu::ok(submit.sequence, Body::SubmitSmResp(SubmitSmResp::default()))).await;
        }
        peer
    });
    let mut tokens = Vec::new();
    while tokens.len() < COUNT as usize {
        tokens.push(bound.response().await.token);
    }

    assert_eq!(tokens, (0..COUNT).collect::<Vec<_>>());
    submitting.await.unwrap();
    drop(answering.await.unwrap());
}

#[tokio::test]
async fn rate_limit_spreads_submissions() {
    let smsc = simulator(Behaviour::default()).await;
    let bound = Bound::spawn(EsmeSettings { tps: Some(100.0), ..settings(smsc.address()) }).await;
    let start = Instant::now();

    bound.submit(0..50).await;
    wait_counts(&smsc, |counts| counts.accepted == 50).await;

    // The first five may go at once; the others are 10 ms apart.
    assert!(start.elapsed() >= Duration::from_millis(440), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_does_not_read_stops_the_flow_without_loss() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::spawn(EsmeSettings { queue: 20, ..settings(smsc.address()) }).await;
    let esme = bound.esme.clone();
    let submitting = tokio::spawn(async move {
        let bound = Bound { esme, events: tokio::sync::mpsc::channel(1).1 };
        bound.submit(0..1000).await;
    });

    // The event channel (20), one window (10) and one full read are all that can get out.
    wait_counts(&smsc, |counts| counts.accepted >= 20).await;
    assert!(!submitting.is_finished());
    let mut tokens = Vec::new();
    while tokens.len() < 1000 {
        if let Event::Responded(response) = bound.event().await {
            tokens.push(response.token);
        }
    }

    submitting.await.unwrap();
    assert_eq!(tokens, (0..1000).collect::<Vec<_>>());
}
