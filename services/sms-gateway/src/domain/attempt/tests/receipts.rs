//! What receipts tell, of messages whose responses came, and of others.

use super::*;

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
