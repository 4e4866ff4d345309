//! What is sent once more, as nobody answered.

use super::*;

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
