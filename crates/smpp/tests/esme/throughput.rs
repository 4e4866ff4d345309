//! No stall at any window, and the rate that was set.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use smpp::esme::{EsmeSettings, Event};
use smpp::smsc::Behaviour;

use crate::harness::{Bound, accepted_tokens, settings, simulator, wait_counts};

async fn every_submission_is_answered(window: usize) {
    const SUBMISSIONS: u64 = 20_000;
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::spawn(EsmeSettings { window, ..settings(smsc.address()) }).await;
    let esme = bound.esme.clone();

    let submitting = tokio::spawn(async move {
        let bound = Bound { esme, events: tokio::sync::mpsc::channel(1).1 };
        for chunk in 0..SUBMISSIONS / 100 {
            bound.submit(chunk * 100..(chunk + 1) * 100).await;
        }
    });
    let mut answered = HashSet::new();
    while answered.len() < SUBMISSIONS as usize {
        match bound.event().await {
            Event::Responded(response) => {
                assert!(response.status.is_ok() && answered.insert(response.token), "{response:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    submitting.await.unwrap();

    assert_eq!(accepted_tokens(&smsc), (0..SUBMISSIONS).collect::<Vec<_>>());
    assert_eq!(bound.esme.stats().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_1_does_not_stall() {
    every_submission_is_answered(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_8_does_not_stall() {
    every_submission_is_answered(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_10_does_not_stall() {
    every_submission_is_answered(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_64_does_not_stall() {
    every_submission_is_answered(64).await;
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

#[tokio::test]
async fn pause_holds_submissions_back() {
    let smsc = simulator(Behaviour::default()).await;
    let bound = Bound::to(&smsc).await;
    let start = Instant::now();

    bound.esme.pause(Duration::from_millis(300)).await;
    // The query travels behind the pause: once it is answered, the pause holds.
    let _ = bound.esme.query(smpp::codec::QuerySm::default()).await;
    bound.submit(0..5).await;
    wait_counts(&smsc, |counts| counts.accepted == 5).await;

    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
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
