//! What becomes of submissions: answered, refused, late, unknown, never sent.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use smpp::codec::{CommandStatus, MessageState, QuerySm, SubmitSm};
use smpp::esme::{CloseReason, EsmeSettings, EsmeState, Event, LinkError, QueryError, Submission};
use smpp::smsc::{Behaviour, IdFormat, Plan, Verdict};

use crate::harness::{
    Bound, accepted_tokens, message, settings, simulator, submission, wait_counts, wait_state,
};

/// A behaviour that a function has the last word on, by the number of the submission.
fn scripted(script: impl Fn(u64, &mut Plan) + Send + Sync + 'static) -> Behaviour {
    Behaviour {
        script: Some(Arc::new(move |_: &SubmitSm, number, plan: &mut Plan| script(number, plan))),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn response_brings_status_and_id() {
    let smsc = simulator(Behaviour {
        ids: IdFormat::Prefixed("sim-".into()),
        ..scripted(|number, plan| {
            if number == 2 {
                plan.verdict = Verdict::Refuse(CommandStatus::RINVDSTADR);
            }
        })
    })
    .await;
    let mut bound = Bound::to(&smsc).await;

    bound.submit([71, 72]).await;

    let Event::Responded(first) = bound.event().await else { panic!() };
    let Event::Responded(second) = bound.event().await else { panic!() };
    assert_eq!((first.token, first.status, first.message_id.as_str()), (71, CommandStatus::ROK, "sim-1"));
    assert_eq!(
        (second.token, second.status, second.message_id.as_str()),
        (72, CommandStatus::RINVDSTADR, "")
    );
}

#[tokio::test]
async fn late_response_follows_the_unknown() {
    let smsc = simulator(scripted(|_, plan| plan.latency = Duration::from_millis(400))).await;
    let response_timeout = Duration::from_millis(250);
    let mut bound = Bound::spawn(EsmeSettings { response_timeout, ..settings(smsc.address()) }).await;

    bound.submit([5]).await;

    assert!(matches!(bound.event().await, Event::Unknown { token: 5 }));
    let Event::LateResponse(response) = bound.event().await else { panic!() };
    assert_eq!((response.token, response.message_id.as_str()), (5, "1"));
}

#[tokio::test]
async fn a_submission_after_a_silence_is_timed_from_when_it_leaves() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::to(&smsc).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let asked = Instant::now();
    bound.submit([5]).await;

    let Event::Responded(response) = bound.event().await else { panic!("unknown before it was answered") };
    assert!(response.took <= asked.elapsed(), "{:?}", response.took);
}

#[tokio::test]
async fn lost_responses_keep_their_slots_until_the_link_is_renewed() {
    let smsc = simulator(scripted(|number, plan| {
        if number <= 2 {
            plan.verdict = Verdict::AcceptSilently;
        }
    }))
    .await;
    let response_timeout = Duration::from_millis(150);
    let mut bound =
        Bound::spawn(EsmeSettings { window: 2, response_timeout, ..settings(smsc.address()) }).await;

    bound.submit([1, 2, 3]).await;

    assert!(matches!(bound.event().await, Event::Unknown { token: 1 }));
    assert!(matches!(bound.event().await, Event::Unknown { token: 2 }));
    let Event::Unbound { reason, in_flight } = bound.event().await else { panic!() };
    assert_eq!(reason, LinkError::Closed(CloseReason::WindowStuck));
    assert_eq!(
        in_flight.iter().map(|left| (left.token, left.reported)).collect::<Vec<_>>(),
        [(1, true), (2, true)]
    );
    // The third was never written; none is sent again by itself.
    assert!(matches!(bound.event().await, Event::NotSent { token: 3 }));
    assert_eq!(accepted_tokens(&smsc), [1, 2]);
}

#[tokio::test]
async fn without_a_bind_submissions_come_back() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::to(&smsc).await;
    smsc.kill();
    assert!(matches!(bound.event().await, Event::Unbound { .. }));

    bound.submit([9]).await;

    assert!(matches!(bound.event().await, Event::NotSent { token: 9 }));
    assert_eq!(bound.esme.query(QuerySm::default()).await, Err(QueryError::NotSent));
}

#[tokio::test]
async fn what_waits_past_its_time_is_given_back_and_never_written() {
    let smsc = simulator(scripted(|_, plan| plan.latency = Duration::from_millis(400))).await;
    let mut bound = Bound::spawn(EsmeSettings { window: 1, ..settings(smsc.address()) }).await;
    let within = |token, time| Submission { not_after: Some(Instant::now() + time), ..submission(token) };
    let (soon, long) = (Duration::from_millis(200), Duration::from_secs(60));

    bound.esme.submit(vec![within(1, long), within(2, soon), within(3, long)]).await.unwrap();

    assert_eq!(bound.response().await.token, 1);
    assert!(matches!(bound.event().await, Event::NotSent { token: 2 }));
    assert_eq!(bound.response().await.token, 3);
    assert_eq!(accepted_tokens(&smsc), [1, 3]);
}

#[tokio::test]
async fn a_validity_period_is_shortened_by_what_a_message_waited() {
    let smsc = simulator(scripted(|_, plan| plan.latency = Duration::from_millis(1_500))).await;
    let mut bound = Bound::spawn(EsmeSettings { window: 1, ..settings(smsc.address()) }).await;
    let not_after = Some(Instant::now() + Duration::from_secs(30));
    let period = |token, period: &str| {
        let pdu = SubmitSm { validity_period: period.into(), ..message(token) };
        Submission { pdu, not_after, ..submission(token) }
    };
    let said = [period(1, "000000000030000R"), period(2, "000000000030000R"), period(3, "000000000005000R")];

    bound.esme.submit(said.to_vec()).await.unwrap();

    for _ in 0..3 {
        bound.response().await;
    }
    let accepted = smsc.accepted();
    let periods: Vec<&str> = accepted.iter().map(|one| one.message.validity_period.as_str()).collect();
    assert!(("000000000020000R"..="000000000028000R").contains(&periods[1]), "{periods:?}");
    assert_eq!(periods[2], "000000000005000R");
}

#[tokio::test]
async fn what_is_too_late_takes_nothing_of_the_rate() {
    let smsc = simulator(Behaviour::default()).await;
    // If one of them were paid for, the last would leave later than anybody waits for its response.
    let mut bound = Bound::spawn(EsmeSettings { tps: Some(0.01), ..settings(smsc.address()) }).await;
    let past = Some(Instant::now());
    let late = (0..20).map(|token| Submission { not_after: past, ..submission(token) });

    bound.esme.submit(late.chain([submission(20)]).collect()).await.unwrap();

    assert_eq!(bound.response().await.token, 20);
}

#[tokio::test]
async fn what_fits_no_pdu_is_invalid_and_harms_nothing() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::to(&smsc).await;
    let too_long = SubmitSm { short_message: vec![b'x'; 255], ..message(1) };

    bound.esme.submit(vec![Submission { pdu: too_long, ..submission(1) }]).await.unwrap();
    bound.submit([2]).await;

    assert!(matches!(bound.event().await, Event::Invalid { token: 1, .. }));
    assert!(matches!(bound.event().await, Event::Responded(response) if response.token == 2));
}

#[tokio::test]
async fn query_tells_the_state_of_a_message() {
    let smsc = simulator(scripted(|_, plan| plan.receipt_delay = Duration::from_secs(3600))).await;
    let mut bound = Bound::to(&smsc).await;
    bound.submit([1]).await;
    let Event::Responded(response) = bound.event().await else { panic!() };
    let ask = |message_id: String| bound.esme.query(QuerySm { message_id, ..QuerySm::default() });

    let early = ask(response.message_id.clone()).await.unwrap();
    let unknown = ask("nonesuch".into()).await;

    assert_eq!((early.message_state, early.finished_at()), (MessageState::Enroute, None));
    assert_eq!(unknown, Err(QueryError::Refused(CommandStatus::RQUERYFAIL)));
}

#[tokio::test]
async fn query_tells_when_a_message_came_to_its_end() {
    let smsc = simulator(Behaviour::default()).await;
    let mut bound = Bound::to(&smsc).await;
    let before = SystemTime::now() - Duration::from_secs(1);
    bound.submit([1]).await;
    let Event::Responded(response) = bound.event().await else { panic!() };

    let end =
        bound.esme.query(QuerySm { message_id: response.message_id, ..QuerySm::default() }).await.unwrap();

    assert!(end.message_state == MessageState::Delivered && end.message_state.is_final());
    assert!(end.finished_at().is_some_and(|at| at >= before && at <= SystemTime::now()), "{end:?}");
}

#[tokio::test]
async fn shutdown_waits_for_responses_and_unbinds() {
    let smsc = simulator(scripted(|_, plan| plan.latency = Duration::from_millis(200))).await;
    let mut bound = Bound::spawn(EsmeSettings { window: 1, ..settings(smsc.address()) }).await;
    bound.submit([1, 2]).await;
    wait_counts(&smsc, |counts| counts.accepted == 1).await;

    bound.esme.shutdown().await;

    assert!(matches!(bound.event().await, Event::Responded(response) if response.token == 1));
    let Event::Unbound { reason, in_flight } = bound.event().await else { panic!() };
    assert_eq!((reason, in_flight.len()), (LinkError::Closed(CloseReason::Requested), 0));
    assert!(matches!(bound.event().await, Event::NotSent { token: 2 }));
    assert!(bound.events.recv().await.is_none());
    assert_eq!(bound.esme.state(), EsmeState::Closed);
    wait_counts(&smsc, |counts| counts.bound == 0).await;
    assert!(bound.esme.submit(vec![submission(3)]).await.is_err());
}

#[tokio::test]
async fn dropping_the_events_ends_the_esme() {
    let smsc = simulator(Behaviour::default()).await;
    let Bound { esme, events } = Bound::to(&smsc).await;

    drop(events);

    wait_state(&esme, |state| *state == EsmeState::Closed).await;
    wait_counts(&smsc, |counts| counts.bound == 0).await;
}
