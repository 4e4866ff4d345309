//! Tables of events to statuses, and that no order of events breaks the rules.

use proptest::prelude::*;
use sms::receipt::ReceiptState;

use super::*;

const RETRY: UnixMillis = UnixMillis(5_000);

fn attempt(segments: i32) -> Attempt {
    let part = |number| Part {
        number,
        smsc: "main".into(),
        state: PartState::Submitting,
        message_id: None,
        refusal: None,
        fate: None,
    };
    Attempt {
        key: JobKey { client_id: "acme".into(), id: "1".into() },
        correl_id: "c1".into(),
        state: JobState::Submitting,
        holds: true,
        emitted: Emitted::default(),
        segments,
        deadline: UnixMillis(i64::MAX),
        due_at: Some(UnixMillis(60_000)),
        recall_id: None,
        smsc: Some("main".into()),
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
        attempt.apply(number, event);
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
        run(&mut attempt, [(1, accepted("a")), (2, PartEvent::Refused(CommandStatus::RINVDSTADR))]);

    assert_eq!(statuses(&published), [SmsState::Invalid]);
    assert!(published[0].error_text.as_deref().unwrap().contains("ESME_RINVDSTADR"));
    assert_eq!((attempt.state, attempt.holds, attempt.due_at), (JobState::Invalid, false, None));
}

#[test]
fn a_throttled_segment_goes_back_into_the_queue_alone() {
    let mut attempt = attempt(2);

    let published = run(&mut attempt, [(2, PartEvent::Throttled { retry_at: RETRY }), (1, accepted("a"))]);

    assert_eq!(published, []);
    assert_eq!((attempt.state, attempt.due_at), (JobState::Queued, Some(RETRY)));
    assert_eq!(attempt.parts[0].state, PartState::Accepted);
    assert_eq!(attempt.parts[1].state, PartState::Queued);
}

#[test]
fn an_unknown_segment_keeps_the_others_from_being_sent_again() {
    let mut attempt = attempt(2);

    run(&mut attempt, [(1, PartEvent::Unknown), (2, PartEvent::NotSent { retry_at: RETRY })]);

    assert_eq!(attempt.state, JobState::Unknown);
}

#[test]
fn a_late_response_corrects_an_unknown_outcome() {
    let mut attempt = attempt(1);
    run(&mut attempt, [(1, PartEvent::Unknown)]);

    let given_up = attempt.give_up(true);
    let corrected = run(&mut attempt, [(1, accepted("7")), (1, receipt(ReceiptState::Delivered))]);

    assert_eq!(statuses(&given_up), [SmsState::Failed]);
    assert!(given_up[0].error_text.as_deref().unwrap().contains("outcome unknown"));
    assert_eq!(statuses(&corrected), [SmsState::Sent, SmsState::Delivered]);
}

#[test]
fn a_late_negative_answer_does_not_queue_what_was_given_up() {
    let mut attempt = attempt(1);
    attempt.give_up(true);

    let published = run(&mut attempt, [(1, PartEvent::Throttled { retry_at: RETRY })]);

    assert_eq!(published, []);
    assert_eq!((attempt.state, attempt.needs_payload()), (JobState::Unknown, false));
}

#[test]
fn giving_up_releases_the_ids_only_if_asked_to() {
    let (mut free, mut held) = (attempt(1), attempt(1));

    free.give_up(true);
    held.give_up(false);

    assert_eq!((free.holds, held.holds), (false, true));
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

fn event() -> impl Strategy<Value = PartEvent> {
    prop_oneof![
        Just(accepted("7")),
        Just(accepted("")),
        Just(PartEvent::Refused(CommandStatus::RSYSERR)),
        Just(PartEvent::Throttled { retry_at: RETRY }),
        Just(PartEvent::NotSent { retry_at: RETRY }),
        Just(PartEvent::Unknown),
        proptest::sample::select(vec![
            ReceiptState::Delivered,
            ReceiptState::Undeliverable,
            ReceiptState::Expired,
            ReceiptState::Rejected,
            ReceiptState::Enroute,
            ReceiptState::Unrecognised,
        ])
        .prop_map(receipt),
    ]
}

proptest! {
    #[test]
    fn no_status_is_published_twice_and_none_but_ends_follow_sent(
        segments in 1i32..4,
        steps in proptest::collection::vec((1i32..4, event(), any::<bool>()), 0..30),
    ) {
        let mut attempt = attempt(segments);
        let mut published = Vec::new();
        for (number, event, give_up) in steps {
            attempt.apply(number, event);
            published.extend(attempt.settle());
            if give_up && matches!(attempt.state, JobState::Submitting | JobState::Unknown) {
                published.extend(attempt.give_up(true));
            }
        }

        let statuses = statuses(&published);
        for (index, status) in statuses.iter().enumerate() {
            prop_assert!(!statuses[..index].contains(status), "{:?}", statuses);
        }
    }

    #[test]
    fn a_segment_that_may_have_left_is_queued_only_by_a_definite_no(
        steps in proptest::collection::vec(event(), 0..10),
    ) {
        let mut attempt = attempt(1);
        for event in steps {
            let definite = matches!(event, PartEvent::Throttled { .. } | PartEvent::NotSent { .. });
            let before = attempt.parts[0].state;
            attempt.apply(1, event);
            if before != PartState::Queued && attempt.parts[0].state == PartState::Queued {
                prop_assert!(definite);
            }
            attempt.settle();
        }
    }
}
