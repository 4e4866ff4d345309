//! Tables of events to statuses.

mod fail_over;
mod random;

use sms::receipt::ReceiptState;

use super::*;

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
fn several_segments_are_delivered_when_all_are() {
    let mut attempt = attempt(2);
    run(&mut attempt, [(1, accepted("a")), (2, accepted("b"))]);

    assert_eq!(
        run(&mut attempt, [(2, receipt(ReceiptState::Delivered)), (2, receipt(ReceiptState::Delivered))]),
        []
    );
    assert_eq!(statuses(&run(&mut attempt, [(1, receipt(ReceiptState::Delivered))])), [SmsState::Delivered]);
}

#[test]
fn one_undelivered_segment_fails_the_message_once() {
    let mut attempt = attempt(2);
    run(&mut attempt, [(1, accepted("a")), (2, accepted("b"))]);

    let published = run(
        &mut attempt,
        [(1, receipt(ReceiptState::Undeliverable)), (2, receipt(ReceiptState::Undeliverable))],
    );

    assert_eq!(statuses(&published), [SmsState::Failed]);
    assert!(!attempt.holds);
}

#[test]
fn a_refusal_ends_the_attempt_with_code_and_name() {
    let mut attempt = attempt(2);

    let published =
        run(&mut attempt, [(1, accepted("a")), (2, PartEvent::Refused(CommandStatus::RINVDSTADR.into()))]);

    assert_eq!(statuses(&published), [SmsState::Invalid]);
    assert!(published[0].error_text.as_deref().unwrap().contains("ESME_RINVDSTADR"));
    assert_eq!((attempt.state, attempt.holds, attempt.due_at), (JobState::Invalid, false, None));
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
fn a_late_response_corrects_an_unknown_outcome() {
    let mut attempt = attempt(1);
    run(&mut attempt, [(1, PartEvent::Unknown)]);

    let given_up = attempt.give_up(true, NOW);
    let corrected = run(&mut attempt, [(1, accepted("7")), (1, receipt(ReceiptState::Delivered))]);

    assert_eq!(statuses(&given_up), [SmsState::Failed]);
    assert!(given_up[0].error_text.as_deref().unwrap().contains("outcome unknown"));
    assert_eq!(statuses(&corrected), [SmsState::Sent, SmsState::Delivered]);
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

/// An attempt that was sent, not answered, and given up once.
fn sent_anew(class: SmsClass, segments: i32) -> Attempt {
    let mut attempt = Attempt { class, ..attempt(segments) };
    assert_eq!(attempt.give_up(true, NOW), []);
    attempt
}

#[test]
fn what_its_class_asks_for_is_sent_once_more_and_then_no_more() {
    for class in [SmsClass::Otp, SmsClass::Alert] {
        let mut attempt = sent_anew(class, 1);
        assert_eq!((attempt.state, attempt.due_at, attempt.resends), (JobState::Queued, Some(NOW), 1));
        assert!(attempt.is_pinned() && attempt.possible_duplicate && attempt.needs_payload());

        assert_eq!(attempt.begin(1, &"main".into(), RETRY), [1]);
        let given_up = attempt.give_up(true, NOW);

        assert_eq!(statuses(&given_up), [SmsState::Failed]);
        assert_eq!((attempt.state, attempt.needs_payload()), (JobState::Unknown, false));
    }
}

#[test]
fn only_segments_without_an_answer_are_sent_once_more() {
    let mut attempt = Attempt { class: SmsClass::Otp, ..attempt(2) };
    run(&mut attempt, [(1, accepted("a")), (2, PartEvent::Unknown)]);

    attempt.give_up(true, NOW);

    assert_eq!(attempt.begin(2, &"main".into(), RETRY), [2]);
    assert_eq!(statuses(&run(&mut attempt, [(2, accepted("b"))])), [SmsState::Sent]);
}

#[test]
fn nothing_is_sent_once_more_behind_the_deadline() {
    let mut attempt = Attempt { class: SmsClass::Otp, deadline: UnixMillis(999), ..attempt(1) };

    assert_eq!(statuses(&attempt.give_up(true, NOW)), [SmsState::Failed]);
    assert_eq!((attempt.state, attempt.resends), (JobState::Unknown, 0));
}

#[test]
fn a_copy_that_finds_no_way_out_leaves_the_outcome_unknown() {
    let mut attempt = sent_anew(SmsClass::Otp, 1);

    let dropped = attempt.drop_waiting(SmsState::Expired, None, true);

    assert_eq!(statuses(&dropped), [SmsState::Failed]);
    assert!(dropped[0].error_text.as_deref().unwrap().contains("outcome unknown"));
    assert_eq!((attempt.state, attempt.parts[0].state), (JobState::Unknown, PartState::Unknown));
}

#[test]
fn a_late_answer_to_the_first_copy_keeps_the_second_from_leaving() {
    let mut attempt = sent_anew(SmsClass::Otp, 1);

    attempt.apply(1, 0, accepted("7"));
    let published = attempt.settle();

    assert_eq!(statuses(&published), [SmsState::Sent]);
    assert_eq!((attempt.state, attempt.due_at), (JobState::Sent, None));
}

#[test]
fn a_late_refusal_of_the_first_copy_counts_only_before_the_second_has_left() {
    let refusal = || PartEvent::Refused(CommandStatus::RINVDSTADR.into());
    let (mut waiting, mut leaving) = (sent_anew(SmsClass::Otp, 1), sent_anew(SmsClass::Otp, 1));
    leaving.begin(1, &"main".into(), RETRY);

    waiting.apply(1, 0, refusal());
    leaving.apply(1, 0, refusal());

    assert_eq!(statuses(&waiting.settle()), [SmsState::Invalid]);
    assert_eq!(leaving.settle(), []);
    assert_eq!(leaving.parts[0].state, PartState::Submitting);
}

#[test]
fn a_refused_copy_says_nothing_about_the_first() {
    let mut attempt = sent_anew(SmsClass::Otp, 1);
    attempt.begin(1, &"main".into(), RETRY);

    assert_eq!(run(&mut attempt, [(1, PartEvent::Refused(CommandStatus::RSYSERR.into()))]), []);
    assert_eq!(attempt.state, JobState::Unknown);
    assert_eq!(statuses(&attempt.give_up(true, NOW)), [SmsState::Failed]);
}

#[test]
fn a_throttled_copy_waits_and_a_late_negative_of_the_first_changes_nothing() {
    let mut attempt = sent_anew(SmsClass::Otp, 1);
    attempt.begin(1, &"main".into(), RETRY);

    attempt.apply(1, 0, PartEvent::NotSent { retry_at: RETRY });
    assert_eq!(attempt.parts[0].state, PartState::Submitting);
    attempt.apply(1, 1, PartEvent::Throttled { retry_at: RETRY });
    attempt.settle();

    assert_eq!((attempt.state, attempt.due_at), (JobState::Queued, Some(RETRY)));
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

fn found(state: ReceiptState) -> PartEvent {
    PartEvent::Found { message_id: "7".into(), fate: Fate::of(state, None) }
}

#[test]
fn a_receipt_that_is_the_first_word_tells_all_it_knows() {
    let mut attempt = attempt(1);
    run(&mut attempt, [(1, PartEvent::Unknown)]);
    attempt.give_up(true, NOW);

    let published = run(&mut attempt, [(1, found(ReceiptState::Delivered))]);

    assert_eq!(statuses(&published), [SmsState::Sent, SmsState::Delivered]);
    assert!(published.iter().all(|one| one.recall_id.as_deref() == Some("7")));
}

#[test]
fn a_bad_end_of_one_segment_waits_for_the_others() {
    let mut attempt = attempt(3);

    let early =
        run(&mut attempt, [(1, accepted("a")), (1, receipt(ReceiptState::Expired)), (2, accepted("b"))]);
    let published = run(&mut attempt, [(3, accepted("c"))]);

    assert_eq!(early, []);
    assert_eq!(statuses(&published), [SmsState::Sent, SmsState::Expired]);
    assert!(published.iter().all(|one| one.recall_id.as_deref() == Some("c") && one.error_text.is_none()));
}

#[test]
fn who_was_told_failed_hears_no_sent_of_a_message_that_has_failed() {
    let mut attempt = attempt(1);
    run(&mut attempt, [(1, PartEvent::Unknown)]);
    attempt.give_up(true, NOW);

    let published = run(&mut attempt, [(1, found(ReceiptState::Undeliverable))]);

    assert_eq!(published, []);
    assert_eq!((attempt.state, attempt.holds), (JobState::Failed, false));
}

#[test]
fn a_failure_after_a_correction_ends_the_attempt_without_a_second_failed() {
    let mut attempt = attempt(1);
    attempt.give_up(true, NOW);
    run(&mut attempt, [(1, accepted("7"))]);

    let published = run(&mut attempt, [(1, receipt(ReceiptState::Undeliverable))]);

    assert_eq!(published, []);
    assert_eq!((attempt.state, attempt.holds), (JobState::Failed, false));
}

#[test]
fn a_bad_end_after_a_correction_is_told_unless_failed_says_it_already() {
    for state in [ReceiptState::Expired, ReceiptState::Rejected] {
        let mut attempt = attempt(1);
        attempt.give_up(true, NOW);
        run(&mut attempt, [(1, accepted("7"))]);

        let published = run(&mut attempt, [(1, receipt(state))]);

        let status = Fate::of(state, None).state().unwrap();
        assert_eq!(statuses(&published), [status]);
        assert_eq!((attempt.state, attempt.holds), (JobState::ended(status), false));
        assert_eq!(run(&mut attempt, [(1, receipt(ReceiptState::Undeliverable))]), []);
    }
}

#[test]
fn a_bad_end_of_what_was_sent_in_part_does_not_say_that_nothing_was() {
    let throttled = PartEvent::Throttled { retry_at: RETRY };
    let mut waiting = attempt(2);
    run(&mut waiting, [(1, accepted("a")), (2, throttled)]);
    let mut silent = attempt(2);
    run(&mut silent, [(1, accepted("a")), (2, PartEvent::Unknown)]);

    let ended = run(&mut waiting, [(1, receipt(ReceiptState::Expired))]);
    let early = run(&mut silent, [(1, receipt(ReceiptState::Expired))]);
    let given_up = silent.give_up(true, NOW);
    let answered = run(&mut silent, [(2, accepted("b"))]);

    assert_eq!(statuses(&ended), [SmsState::Failed]);
    assert_eq!(ended[0].error_text.as_deref(), Some("only 1 of 2 segments were sent: it expired"));
    assert_eq!((waiting.state, waiting.holds), (JobState::Failed, false));
    assert_eq!(early, []);
    assert_eq!((statuses(&given_up), statuses(&answered)), (vec![SmsState::Failed], vec![SmsState::Expired]));
}

#[test]
fn an_attempt_that_was_cancelled_says_nothing() {
    let mut attempt = attempt(2);
    run(&mut attempt, [(1, accepted("a")), (2, PartEvent::Throttled { retry_at: RETRY })]);
    attempt.cancel();

    assert_eq!(run(&mut attempt, [(1, receipt(ReceiptState::Expired))]), []);
    assert_eq!(attempt.state, JobState::Cancelled);
}

#[test]
fn an_undecided_receipt_publishes_nothing() {
    let mut attempt = attempt(1);
    run(&mut attempt, [(1, accepted("7"))]);

    assert_eq!(
        run(&mut attempt, [(1, receipt(ReceiptState::Enroute)), (1, receipt(ReceiptState::Accepted))]),
        []
    );
    assert_eq!(attempt.state, JobState::Sent);
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
