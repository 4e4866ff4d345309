//! Tables of events to statuses.

mod fail_over;
mod heirs;
mod histories;
mod random;
mod receipts;
mod resends;

use sms::receipt::ReceiptState;

use super::*;
use crate::domain::receipt::Fate;

const NOW: UnixMillis = UnixMillis(1_000);
const RETRY: UnixMillis = UnixMillis(5_000);

fn attempt(segments: i32) -> Attempt {
    let part = |number| Part {
        number,
        smsc: "main".into(),
        state: PartState::Submitting,
        message_id: None,
        refusal: None,
        fate: None,
        stored_at: None,
    };
    Attempt {
        key: JobKey { client_id: "acme".into(), id: "1".into() },
        correl_id: "c1".into(),
        state: JobState::Submitting,
        holds: true,
        emitted: Emitted::default(),
        segments,
        class: SmsClass::Bulk,
        resends: 0,
        possible_duplicate: false,
        deadline: UnixMillis(i64::MAX),
        due_at: Some(UnixMillis(60_000)),
        recall_id: None,
        smsc: Some("main".into()),
        route: "default".into(),
        charged: 0,
        tried: Vec::new(),
        parts: (1..=segments).map(part).collect(),
    }
}

fn accepted(id: &str) -> PartEvent {
    PartEvent::Accepted { message_id: (!id.is_empty()).then(|| id.into()) }
}

fn receipt(state: ReceiptState) -> PartEvent {
    PartEvent::Receipt(Fate::of(state, None))
}

fn found(state: ReceiptState) -> PartEvent {
    PartEvent::Found { message_id: "7".into(), fate: Fate::of(state, None) }
}

/// Applies each event, settles after each, and gives what was published.
fn run(attempt: &mut Attempt, events: impl IntoIterator<Item = (i32, PartEvent)>) -> Vec<Emission> {
    let mut published = Vec::new();
    for (number, event) in events {
        attempt.apply(number, attempt.resends, event);
        published.extend(attempt.settle());
    }
    published
}

fn statuses(published: &[Emission]) -> Vec<SmsState> {
    published.iter().map(|emission| emission.status).collect()
}

#[test]
fn one_segment_is_sent_then_delivered() {
    let mut attempt = attempt(1);

    let published = run(&mut attempt, [(1, accepted("7b")), (1, receipt(ReceiptState::Delivered))]);

    assert_eq!(statuses(&published), [SmsState::Sent, SmsState::Delivered]);
    assert!(published.iter().all(|one| one.recall_id.as_deref() == Some("7b") && one.error_text.is_none()));
    assert_eq!((attempt.state, attempt.holds), (JobState::Delivered, true));
}

#[test]
fn a_response_without_id_is_sent_without_recall_id() {
    let published = run(&mut attempt(1), [(1, accepted(""))]);

    assert_eq!(statuses(&published), [SmsState::Sent]);
    assert_eq!(published[0].recall_id, None);
}

#[test]
fn several_segments_are_sent_when_all_are_and_named_by_the_last() {
    let mut attempt = attempt(3);

    let published = run(&mut attempt, [(3, accepted("c")), (1, accepted("a")), (2, accepted("b"))]);

    assert_eq!(statuses(&published), [SmsState::Sent]);
    assert_eq!(published[0].recall_id.as_deref(), Some("c"));
}

#[test]
fn a_refusal_ends_the_attempt_with_code_and_name() {
    let mut attempt = attempt(1);

    let published = run(&mut attempt, [(1, PartEvent::Refused(CommandStatus::RINVDSTADR.into()))]);

    assert_eq!(statuses(&published), [SmsState::Invalid]);
    assert!(published[0].error_text.as_deref().unwrap().contains("ESME_RINVDSTADR"));
    assert_eq!((attempt.state, attempt.holds, attempt.due_at), (JobState::Invalid, false, None));
}

#[test]
fn a_refusal_means_that_nothing_was_sent_only_where_the_smsc_has_no_other_segment() {
    let refused = || PartEvent::Refused(CommandStatus::RINVDSTADR.into());
    let in_part = "only 1 of 2 segments were sent: the SMSC refused segment 2 of 2: ";
    for (other, status, text) in [
        (refused(), SmsState::Invalid, "the SMSC refused segment "),
        (PartEvent::NotSent { retry_at: RETRY }, SmsState::Invalid, "the SMSC refused segment 2 of 2: "),
        (PartEvent::Unknown, SmsState::Failed, "the SMSC refused segment 2 of 2: "),
        (accepted("a"), SmsState::Failed, in_part),
    ] {
        for events in [[(2, refused()), (1, other.clone())], [(1, other.clone()), (2, refused())]] {
            let mut attempt = attempt(2);
            let [first, second] = events;

            // The other one may be at the SMSC by now.
            assert_eq!(run(&mut attempt, [first]), []);
            let published = run(&mut attempt, [second]);

            assert_eq!(statuses(&published), [status], "{other:?}");
            assert!(published[0].error_text.as_deref().unwrap().starts_with(text), "{published:?}");
            assert_eq!((attempt.state, attempt.holds), (JobState::ended(status), false));
        }
    }
}

#[test]
fn what_is_refused_in_part_is_not_sent_once_more_when_the_rest_is_given_up() {
    let mut attempt = Attempt { class: SmsClass::Otp, ..attempt(2) };
    assert_eq!(run(&mut attempt, [(1, PartEvent::Refused(CommandStatus::RINVDSTADR.into()))]), []);

    let published = attempt.give_up(false, NOW);

    assert_eq!(statuses(&published), [SmsState::Failed]);
    assert_eq!((attempt.state, attempt.resends), (JobState::Failed, 0));
}

#[test]
fn a_throttled_segment_goes_back_into_the_queue_alone() {
    let throttled = || (2, PartEvent::Throttled { retry_at: RETRY });
    for (events, due_at) in
        [([(1, accepted("a")), throttled()], RETRY), ([throttled(), (1, accepted("a"))], NOW)]
    {
        let mut attempt = attempt(2);

        let published = run(&mut attempt, events);
        attempt.pass_on(true, NOW);

        assert_eq!(published, []);
        assert_eq!((attempt.state, attempt.due_at), (JobState::Queued, Some(due_at)));
        assert_eq!(attempt.parts[0].state, PartState::Accepted);
        assert_eq!(attempt.parts[1].state, PartState::Queued);
    }
}

#[test]
fn a_segment_that_came_back_leaves_the_others_their_time() {
    for event in [PartEvent::Throttled { retry_at: RETRY }, PartEvent::NotSent { retry_at: RETRY }] {
        let mut attempt = attempt(2);

        run(&mut attempt, [(2, event)]);
        assert_eq!((attempt.state, attempt.due_at), (JobState::Submitting, Some(UnixMillis(60_000))));
        run(&mut attempt, [(1, PartEvent::Unknown)]);
        assert_eq!((attempt.state, attempt.due_at), (JobState::Unknown, Some(UnixMillis(60_000))));
    }
}

#[test]
fn an_unknown_segment_keeps_the_others_from_being_sent_again() {
    let mut attempt = attempt(2);

    run(&mut attempt, [(1, PartEvent::Unknown), (2, PartEvent::NotSent { retry_at: RETRY })]);

    assert_eq!(attempt.state, JobState::Unknown);
}

#[test]
fn its_client_is_told_sooner_only_where_nothing_more_is_done() {
    let told_by = |class, resends, events: &[(i32, PartEvent)]| {
        let mut attempt = Attempt { class, resends, ..attempt(2) };
        run(&mut attempt, events.iter().cloned());
        attempt.tell_by(UnixMillis(9_000));
        attempt.tell_by(UnixMillis(11_000));
        attempt.due_at
    };
    let (unknown, patience) = ([(1, PartEvent::Unknown), (2, PartEvent::Unknown)], Some(UnixMillis(60_000)));

    assert_eq!(told_by(SmsClass::Bulk, 0, &unknown), Some(UnixMillis(9_000)));
    assert_eq!(told_by(SmsClass::Otp, 1, &unknown), Some(UnixMillis(9_000)));
    // It is sent once more first; one segment may still be answered; all are.
    assert_eq!(told_by(SmsClass::Otp, 0, &unknown), patience);
    assert_eq!(told_by(SmsClass::Bulk, 0, &unknown[..1]), patience);
    assert_eq!(told_by(SmsClass::Bulk, 0, &[(1, accepted("a")), (2, accepted("b"))]), None);
}

#[test]
fn what_was_given_up_and_turns_out_not_to_have_left_has_failed_and_is_not_queued() {
    for event in [PartEvent::Throttled { retry_at: RETRY }, PartEvent::NotSent { retry_at: RETRY }] {
        let mut attempt = attempt(1);
        attempt.give_up(false, NOW);

        let published = run(&mut attempt, [(1, event)]);

        assert_eq!(published, [], "the client knows that it is FAILED");
        assert_eq!((attempt.state, attempt.holds), (JobState::Failed, false));
        assert_eq!((attempt.due_at, attempt.needs_payload()), (None, false));
    }
}

#[test]
fn giving_up_releases_the_ids_only_if_asked_to() {
    let (mut free, mut held) = (attempt(1), attempt(1));

    free.give_up(true, NOW);
    held.give_up(false, NOW);

    assert_eq!((free.holds, held.holds), (false, true));
}

#[test]
fn what_waits_with_segments_at_the_smsc_did_not_simply_expire() {
    let mut attempt = attempt(2);
    run(&mut attempt, [(1, accepted("a")), (2, PartEvent::Throttled { retry_at: RETRY })]);

    let dropped = attempt.drop_waiting(SmsState::Expired, Some("too late".into()), true);

    assert_eq!(statuses(&dropped), [SmsState::Failed]);
    assert_eq!(dropped[0].error_text.as_deref(), Some("only 1 of 2 segments were sent: too late"));
}

#[test]
fn what_was_given_up_is_not_queued_by_an_answer_to_another_segment() {
    let mut attempt = attempt(2);
    run(&mut attempt, [(1, PartEvent::Unknown), (2, PartEvent::NotSent { retry_at: RETRY })]);
    attempt.give_up(true, NOW);

    let published = run(&mut attempt, [(1, accepted("a"))]);

    assert_eq!((published, attempt.state), (Vec::new(), JobState::Failed));
}

#[test]
fn what_one_smsc_has_nothing_of_may_be_cut_otherwise_for_another() {
    let mut attempt = attempt(3);
    for number in 1..=3 {
        run(&mut attempt, [(number, PartEvent::NotSent { retry_at: RETRY })]);
    }

    let leaving = attempt.begin(1, &"other".into(), RETRY);

    assert_eq!(leaving, [1]);
    assert_eq!(statuses(&run(&mut attempt, [(1, accepted("a"))])), [SmsState::Sent]);
}
