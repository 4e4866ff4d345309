use super::*;

const PACE: Pace = Pace { interval: Duration::from_millis(300), timeout: Duration::from_millis(200) };

fn polling() -> (EngineSession, Instant) {
    let now = Instant::now();
    (EngineSession::polling(now, &PACE), now)
}

#[test]
fn a_poll_is_held_until_there_is_something_to_send() {
    let (mut session, now) = polling();

    assert_eq!(session.begin_poll(now), Ok(()));

    assert_eq!(session.poll_step(now, false), PollStep::Hold(None));
    assert_eq!(session.poll_step(now, true), PollStep::Packets);
    session.end_poll();
    assert_eq!(session.begin_poll(now), Ok(()));
}

#[test]
fn a_second_poll_ends_the_session_and_the_first_gets_a_close_packet() {
    let (mut session, now) = polling();
    session.begin_poll(now).unwrap();

    assert_eq!(session.begin_poll(now), Err(Refusal::Second));

    assert_eq!(session.poll_step(now, true), PollStep::Close);
    assert_eq!(session.ended(), Some(Reason::Concurrent));
    assert_eq!(session.begin_poll(now), Err(Refusal::Ended));
}

#[test]
fn a_second_post_ends_the_session() {
    let (mut session, now) = polling();
    session.begin_post().unwrap();

    assert_eq!(session.begin_post(), Err(Refusal::Second));
    assert_eq!(session.ended(), Some(Reason::Concurrent));

    let (mut session, _) = polling();
    session.begin_post().unwrap();
    session.end_post(now, &PACE);
    assert_eq!(session.begin_post(), Ok(()));
}

#[test]
fn a_close_packet_gives_one_poll_a_noop_and_no_other() {
    let (mut held, now) = polling();
    held.begin_poll(now).unwrap();
    held.end(Reason::ClientClosed);
    assert_eq!(held.poll_step(now, false), PollStep::Noop);
    assert!(!held.lingers());
    assert_eq!(held.begin_poll(now), Err(Refusal::Ended));

    let (mut late, now) = polling();
    late.end(Reason::ClientClosed);
    assert!(late.lingers());
    assert_eq!(late.begin_poll(now), Ok(()));
    assert_eq!(late.poll_step(now, false), PollStep::Noop);
    assert_eq!(late.begin_poll(now), Err(Refusal::Ended));
    assert_eq!(late.begin_post(), Err(Refusal::Ended));
}

#[test]
fn an_upgrade_moves_the_session_and_refuses_polls_from_then_on() {
    let (mut session, now) = polling();
    session.begin_poll(now).unwrap();

    session.attach().unwrap();
    assert!(!session.upgrade(), "not before the probe");
    assert_eq!(session.poll_step(now, false), PollStep::Hold(None));
    assert!(session.probed(now));
    let released = now + HOLD_WHILE_PROBED;
    assert_eq!(session.poll_step(now, false), PollStep::Hold(Some(released)));
    assert_eq!(session.poll_step(now, true), PollStep::Packets);
    assert_eq!(session.poll_step(released, false), PollStep::Noop);
    assert!(session.upgrade());

    assert!(session.is_websocket());
    assert_eq!(session.poll_step(released, true), PollStep::Moved);
    assert_eq!(session.begin_poll(now), Err(Refusal::OtherTransport));
    assert_eq!(session.begin_post(), Err(Refusal::OtherTransport));
    assert_eq!(session.attach(), Err(Refusal::OtherTransport));
    assert!(!session.upgrade());
}

#[test]
fn a_poll_after_the_probe_is_held_for_its_own_moment() {
    let (mut session, now) = polling();
    session.attach().unwrap();
    session.probed(now);
    let later = now + Duration::from_secs(1);

    session.begin_poll(later).unwrap();

    assert_eq!(session.poll_step(later, false), PollStep::Hold(Some(later + HOLD_WHILE_PROBED)));
}

#[test]
fn one_websocket_at_a_time_may_try() {
    let (mut session, now) = polling();

    session.attach().unwrap();
    assert_eq!(session.attach(), Err(Refusal::Second));
    session.probed(now);
    assert_eq!(session.attach(), Err(Refusal::Second));
    session.detach();

    assert_eq!(session.attach(), Ok(()));
    session.end(Reason::Lost);
    assert!(!session.probed(now));
    assert_eq!(session.attach(), Err(Refusal::Ended));
}

#[test]
fn the_first_reason_stays() {
    let (mut session, now) = polling();

    assert!(session.end(Reason::SlowConsumer));
    assert!(!session.end(Reason::ClientClosed));

    assert_eq!(session.ended(), Some(Reason::SlowConsumer));
    assert!(!session.lingers());
    assert_eq!(session.poll_step(now, true), PollStep::Close);
}

#[test]
fn a_missing_pong_ends_the_session_but_not_while_it_cannot_be_heard() {
    let (mut session, now) = polling();
    let at = |ms| now + Duration::from_millis(ms);
    assert_eq!(session.beat(at(300), false, &PACE), Beat::Ping);

    assert_eq!(session.beat(at(500), true, &PACE), Beat::Wait(at(600)));
    assert_eq!(session.ended(), None);
    assert_eq!(session.beat(at(600), false, &PACE), Beat::Gone);

    assert_eq!(session.ended(), Some(Reason::PingTimeout));
}
