//! What throttling does to the bind: it pauses, goes slower, and recovers; the submission goes back to its owner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp::codec::{CommandStatus, SubmitSm};
use smpp::esme::{EsmeSettings, Event};
use smpp::smsc::{Behaviour, Plan, Verdict};

use crate::harness::{Bound, accepted_tokens, settings, simulator, wait_counts};

const PAUSE: Duration = Duration::from_millis(200);

/// Refuses the submissions with these numbers.
fn refusing(numbers: &'static [u64], status: CommandStatus) -> Behaviour {
    let script = move |_: &SubmitSm, number: u64, plan: &mut Plan| {
        if numbers.contains(&number) {
            plan.verdict = Verdict::Refuse(status);
        }
    };
    Behaviour { script: Some(Arc::new(script)), ..Behaviour::default() }
}

#[tokio::test]
async fn throttling_pauses_the_bind_and_gives_the_submission_back() {
    for status in [CommandStatus::RTHROTTLED, CommandStatus::RMSGQFUL] {
        let smsc = simulator(refusing(&[1], status)).await;
        let paced = EsmeSettings { window: 1, throttle_pause: PAUSE, ..settings(smsc.address()) };
        let mut bound = Bound::spawn(paced).await;

        let start = Instant::now();
        bound.submit([1, 2]).await;
        let refused = bound.response().await;
        let accepted = bound.response().await;

        assert_eq!((refused.token, refused.status), (1, status));
        assert_eq!((accepted.token, accepted.status), (2, CommandStatus::ROK));
        assert!(start.elapsed() >= PAUSE, "{:?}", start.elapsed());
        let stats = bound.esme.stats();
        assert_eq!((stats.throttled, stats.pauses), (1, 1));
        // Nothing had been accepted before; since then it rises by one a second.
        let most = 1.0 + start.elapsed().as_secs_f64();
        assert!(stats.rate.is_some_and(|rate| (1.0..=most).contains(&rate)), "{stats:?}, {most}");
    }
}

#[tokio::test]
async fn after_a_rest_the_rate_holds_from_the_first_submission_on() {
    let smsc = simulator(Behaviour::default()).await;
    let paced = EsmeSettings { tps: Some(2.0), ..settings(smsc.address()) };
    let mut bound = Bound::spawn(paced).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let start = Instant::now();
    bound.submit([1, 2, 3]).await;
    for _ in 0..3 {
        bound.response().await;
    }

    // The first leaves at once, the others half a second after each other.
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_waits_when_a_pause_begins_can_be_had_back() {
    let smsc = simulator(refusing(&[1], CommandStatus::RTHROTTLED)).await;
    let paced = EsmeSettings {
        window: 1,
        throttle_pause: Duration::from_secs(60),
        give_back_when_paused: true,
        ..settings(smsc.address())
    };
    let mut bound = Bound::spawn(paced).await;
    bound.submit([1, 2, 3]).await;
    assert!(bound.response().await.status.is_throttle());

    // Late for the pause's begin, and no more written than the others.
    bound.submit([4]).await;

    for expected in [2, 3, 4] {
        assert!(matches!(bound.event().await, Event::NotSent { token } if token == expected));
    }
    assert_eq!(smsc.counts().borrow().refused, 1);
}

#[tokio::test]
async fn pauses_double_while_throttling_goes_on() {
    let smsc = simulator(refusing(&[1, 2, 3], CommandStatus::RTHROTTLED)).await;
    let paced =
        EsmeSettings { window: 1, tps: Some(100.0), throttle_pause: PAUSE, ..settings(smsc.address()) };
    let mut bound = Bound::spawn(paced).await;

    let start = Instant::now();
    bound.submit([1, 2, 3]).await;
    for _ in 0..3 {
        assert!(bound.response().await.status.is_throttle());
    }

    // One pause between the first two, and one of twice its length.
    assert!(start.elapsed() >= PAUSE * 3, "{:?}", start.elapsed());
    assert_eq!(bound.esme.stats().pauses, 3);
}

#[tokio::test]
async fn an_owner_that_submits_again_gets_all_through_a_narrow_smsc() {
    const COUNT: u64 = 60;
    let smsc = simulator(Behaviour { tps: Some(20), ..Behaviour::default() }).await;
    let paced = EsmeSettings { throttle_pause: PAUSE, ..settings(smsc.address()) };
    let mut bound = Bound::spawn(paced).await;
    bound.submit(0..COUNT).await;
    let mut accepted = 0;

    while accepted < COUNT {
        match bound.event().await {
            Event::Responded(response) if response.status.is_ok() => accepted += 1,
            Event::Responded(response) => bound.submit([response.token]).await,
            other => panic!("{other:?}"),
        }
    }

    let mut tokens = accepted_tokens(&smsc);
    tokens.sort_unstable();
    assert_eq!(tokens, (0..COUNT).collect::<Vec<_>>());
    let stats = bound.esme.stats();
    // Without the pace, three seconds of a full window would be thousands of refusals.
    assert!(stats.throttled < 60 && stats.pauses > 0, "{stats:?}");
    assert!(stats.rate.is_some(), "{stats:?}");
}

#[tokio::test]
async fn a_lowered_rate_rises_again_while_nothing_is_sent() {
    let smsc = simulator(refusing(&[1], CommandStatus::RTHROTTLED)).await;
    let paced = EsmeSettings {
        tps: Some(10.0),
        throttle_pause: Duration::from_millis(1),
        ..settings(smsc.address())
    };
    let mut bound = Bound::spawn(paced).await;
    let start = Instant::now();
    bound.submit([1]).await;
    assert!(bound.response().await.status.is_throttle());
    let rate = bound.esme.stats().rate;
    assert!(rate <= Some(1.0 + start.elapsed().as_secs_f64()), "{rate:?}");

    let risen = async {
        while bound.esme.stats().rate < Some(3.0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };

    tokio::time::timeout(crate::harness::DEADLINE, risen)
        .await
        .expect("a rise of one message a second, each second");
}

#[tokio::test]
async fn an_smsc_that_counts_seconds_refuses_nothing_at_the_agreed_rate() {
    // The SMSC counts each second strictly; the four are for what a loaded machine delays on the way.
    let smsc = simulator(Behaviour { tps: Some(44), ..Behaviour::default() }).await;
    let bound = Bound::spawn(EsmeSettings { tps: Some(40.0), ..settings(smsc.address()) }).await;

    bound.submit(0..100).await;
    wait_counts(&smsc, |counts| counts.accepted + counts.refused == 100).await;

    assert_eq!(smsc.counts().borrow().refused, 0);
}
