//! Two attempts with the same ids: what their client is told.

use proptest::prelude::*;

use super::random::event;
use super::*;

/// Applies an event to one of two attempts, as the store does; gives what is told.
fn tell(one: &mut Attempt, other: &mut Attempt, event: PartEvent) -> Vec<SmsState> {
    let (holds, before) = (one.holds, one.state);
    one.apply(1, 0, event);
    let emissions = one.settle();
    statuses(&if !holds && other.holds { one.speak_beside(before, other, emissions) } else { emissions })
}

/// A first attempt that was given up, and a second one that has left, or waits.
fn two(waits: bool) -> [Attempt; 2] {
    let (mut first, mut second) = (attempt(1), attempt(1));
    assert_eq!(statuses(&first.give_up(true, NOW)), [SmsState::Failed]);
    if waits {
        second.state = JobState::Queued;
        second.parts.clear();
    }
    [first, second]
}

#[test]
fn what_has_arrived_cancels_what_waits() {
    let [mut first, mut second] = two(true);

    assert_eq!(tell(&mut first, &mut second, accepted("a")), [SmsState::Sent]);

    assert_eq!((second.state, second.holds, first.holds), (JobState::Cancelled, true, false));
}

#[test]
fn what_comes_back_after_the_first_one_arrived_is_not_sent_again() {
    let [mut first, mut second] = two(false);
    tell(&mut first, &mut second, accepted("a"));

    let told = tell(&mut second, &mut first, PartEvent::Throttled { retry_at: RETRY });

    assert_eq!((told, second.state, second.holds), (vec![], JobState::Cancelled, true));
}

#[test]
fn an_urgent_one_is_not_sent_once_more_after_the_first_one_arrived() {
    let [mut first, mut second] = two(false);
    second.class = SmsClass::Otp;
    tell(&mut first, &mut second, accepted("a"));

    assert_eq!((second.give_up(true, NOW), second.resends), (vec![], 0));
}

#[test]
fn a_bad_end_is_told_when_neither_has_arrived() {
    let bad = || receipt(ReceiptState::Expired);
    let refused = || PartEvent::Refused(CommandStatus::RINVDSTADR.into());
    let undelivered = || receipt(ReceiptState::Undeliverable);
    let (sent, none) = (vec![SmsState::Sent], Vec::new);
    for (events, expected) in [
        // The heir is refused, and what has arrived expires.
        ([(1, accepted("a")), (2, refused()), (1, bad())], [sent.clone(), none(), vec![SmsState::Expired]]),
        (
            [(1, accepted("a")), (2, refused()), (1, undelivered())],
            [sent.clone(), none(), vec![SmsState::Failed]],
        ),
        // The other way round.
        ([(1, accepted("a")), (1, bad()), (2, refused())], [sent.clone(), none(), vec![SmsState::Invalid]]),
        // It is unanswered.
        (
            [(1, accepted("a")), (2, PartEvent::Unknown), (1, bad())],
            [sent.clone(), none(), vec![SmsState::Expired]],
        ),
    ] {
        let [mut first, mut second] = two(false);
        let told = events.map(|(number, event)| match number {
            1 => tell(&mut first, &mut second, event),
            _ => {
                let unanswered = event == PartEvent::Unknown;
                let mut told = tell(&mut second, &mut first, event);
                if unanswered {
                    told.extend(statuses(&second.give_up(true, NOW)));
                }
                told
            }
        });

        assert_eq!(told, expected, "{first:?} {second:?}");
        assert!(!first.holds && !second.holds);
    }
}

#[test]
fn an_heir_that_is_found_to_have_failed_long_after_frees_the_ids() {
    let bad = [ReceiptState::Expired, ReceiptState::Undeliverable, ReceiptState::Rejected];
    for (early, late) in bad.into_iter().flat_map(|early| bad.map(|late| (early, late))) {
        let [mut first, mut second] = two(false);
        tell(&mut first, &mut second, accepted("a"));
        assert_eq!(second.give_up(true, NOW), []);
        assert!(second.holds);
        assert_eq!(tell(&mut first, &mut second, receipt(early)).len(), 1);

        let told = tell(&mut second, &mut first, found(late));

        assert_eq!((told, second.holds), (vec![], false), "{second:?}");
    }
}

#[test]
fn a_given_up_heir_that_keeps_its_ids_keeps_them_when_the_first_one_fails_once_more() {
    let [mut first, mut second] = two(false);
    assert_eq!(statuses(&second.give_up(false, NOW)), [SmsState::Failed]);

    let told = tell(&mut first, &mut second, PartEvent::Refused(CommandStatus::RINVDSTADR.into()));

    assert_eq!((told, second.holds), (vec![], true));
}

#[test]
fn one_of_three_that_fails_does_not_undo_what_another_arrived_for() {
    for waits in [true, false] {
        let ([mut first, mut third], [mut second, _]) = (two(waits), two(false));
        assert_eq!(tell(&mut first, &mut third, accepted("a")), [SmsState::Sent]);

        let told = tell(&mut second, &mut third, PartEvent::Refused(CommandStatus::RINVDSTADR.into()));

        assert_eq!((told, third.holds), (vec![], true));
        assert!(waits || third.emitted.is_left_to_another());
    }
}

#[test]
fn an_heir_of_which_a_part_has_arrived_leaves_the_end_to_the_first_one() {
    let [mut first, _] = two(false);
    let mut second = attempt(2);
    tell(&mut second, &mut first, PartEvent::Throttled { retry_at: RETRY });
    tell(&mut first, &mut second, accepted("a"));
    second.apply(2, 0, accepted("b"));
    assert_eq!(second.settle(), []);

    let told = tell(&mut first, &mut second, receipt(ReceiptState::Undeliverable));

    assert_eq!((told, first.holds, second.holds), (vec![SmsState::Failed], false, false));
}

#[test]
fn two_of_three_arrive_and_sent_is_told_once() {
    for waits in [true, false] {
        let ([mut first, mut third], [mut second, _]) = (two(waits), two(false));
        assert_eq!(tell(&mut first, &mut third, accepted("a")), [SmsState::Sent]);

        assert_eq!(tell(&mut second, &mut third, accepted("b")), []);

        // As long as one has arrived, what becomes of the other is not told, and the third one neither leaves nor ends.
        assert_eq!(tell(&mut first, &mut third, receipt(ReceiptState::Undeliverable)), []);
        assert!(third.holds && third.emitted.is_left_to_another());
        let told = tell(&mut second, &mut third, receipt(ReceiptState::Undeliverable));
        assert_eq!((told, third.holds), (if waits { vec![SmsState::Failed] } else { vec![] }, !waits));
    }
}

#[test]
fn what_is_told_again_of_one_that_failed_long_ago_changes_nothing() {
    let ([mut first, mut third], [mut second, _]) = (two(true), two(false));
    first.apply(1, 0, found(ReceiptState::Undeliverable));
    first.settle();
    assert_eq!(tell(&mut second, &mut third, accepted("b")), [SmsState::Sent]);

    assert_eq!(tell(&mut first, &mut third, receipt(ReceiptState::Undeliverable)), []);

    assert_eq!((third.state, third.holds), (JobState::Cancelled, true));
}

#[test]
fn an_urgent_one_keeps_what_it_is_sent_once_more_from() {
    let [mut first, mut second] = two(false);
    second.class = SmsClass::Otp;
    tell(&mut second, &mut first, PartEvent::Unknown);
    tell(&mut first, &mut second, accepted("a"));
    assert!(second.needs_payload());
    tell(&mut first, &mut second, receipt(ReceiptState::Undeliverable));

    assert_eq!((second.give_up(true, NOW), second.resends), (vec![], 1));
}

#[test]
fn the_rest_of_one_does_not_leave_once_the_other_has_arrived() {
    for resends in [0, 1] {
        let [mut first, _] = two(false);
        let mut second = Attempt { resends, ..attempt(2) };
        second.apply(1, resends, PartEvent::Throttled { retry_at: RETRY });
        assert_eq!(second.settle(), []);
        tell(&mut first, &mut second, accepted("a"));

        second.apply(2, resends, accepted("b"));

        assert_eq!(second.settle(), []);
        let expected = if resends == 0 { JobState::Cancelled } else { JobState::Unknown };
        assert_eq!((second.state, second.holds), (expected, true), "{second:?}");
    }
}

#[test]
fn of_two_that_were_given_up_and_have_expired_the_first_one_says_so_at_last() {
    let [mut first, mut second] = two(false);
    assert_eq!(statuses(&second.give_up(true, NOW)), [SmsState::Failed]);
    first.holds = true;
    tell(&mut first, &mut second, accepted("a"));
    tell(&mut second, &mut first, accepted("b"));
    assert_eq!(tell(&mut first, &mut second, receipt(ReceiptState::Expired)), []);

    let told = tell(&mut second, &mut first, receipt(ReceiptState::Undeliverable));

    assert_eq!((told, first.holds, second.holds), (vec![SmsState::Expired], false, false));
}

#[test]
fn both_are_sent_and_the_last_one_to_fail_says_so() {
    let bad = || receipt(ReceiptState::Expired);
    for (one, other) in [(1, 2), (2, 1)] {
        let [mut first, mut second] = two(false);
        let mut both = |number, event| match number {
            1 => tell(&mut first, &mut second, event),
            _ => tell(&mut second, &mut first, event),
        };

        let told = [both(2, accepted("b")), both(1, accepted("a")), both(one, bad()), both(other, bad())];

        assert_eq!(told, [vec![SmsState::Sent], vec![], vec![], vec![SmsState::Expired]], "{one}");
    }
}

/// Whether nothing more can come of an attempt but a correction.
fn is_over(attempt: &Attempt) -> bool {
    let given_up = attempt.state == JobState::Unknown && attempt.due_at.is_none();
    has_failed(attempt.state) || attempt.state == JobState::Cancelled || given_up
}

fn has_failed(state: JobState) -> bool {
    matches!(state, JobState::Failed | JobState::Invalid | JobState::Expired)
}

proptest! {
    #[test]
    fn nothing_good_is_told_twice_and_a_bad_end_when_neither_has_arrived(
        segments in 1i32..3,
        waits in any::<bool>(),
        class in proptest::sample::select(vec![SmsClass::Bulk, SmsClass::Otp]),
        steps in proptest::collection::vec((any::<bool>(), 1i32..3, event(), 0u8..5), 0..24),
    ) {
        let mut first = attempt(segments);
        first.give_up(true, NOW);
        let mut second = Attempt { class, ..attempt(segments) };
        if waits {
            second.state = JobState::Queued;
            second.parts.clear();
        }
        let (mut told, mut has_payload) = (Vec::new(), true);
        for (is_first, number, event, act) in steps {
            let (one, other) = if is_first { (&mut first, &mut second) } else { (&mut second, &mut first) };
            let (holds, before) = (one.holds, one.state);
            one.apply(number, one.resends, event);
            let emissions = one.settle();
            let new = if !holds && other.holds { one.speak_beside(before, other, emissions) } else { emissions };
            let new = statuses(&new);
            // Of one that has failed the other says that it is sent after all.
            for good in [SmsState::Sent, SmsState::Delivered] {
                let again = told.contains(&good) && new.contains(&good);
                prop_assert!(!again || has_failed(other.state), "{told:?} {new:?} {other:?}");
            }
            told.extend(new);
            let waiting = matches!(second.state, JobState::Submitting | JobState::Unknown);
            told.extend(statuses(&match act {
                1 if waiting && second.due_at.is_some() => second.give_up(true, NOW),
                2 if second.state == JobState::Queued => second.drop_waiting(SmsState::Expired, None, true),
                3 if second.state == JobState::Queued => {
                    second.begin(segments, &"main".into(), RETRY);
                    Vec::new()
                }
                _ => Vec::new(),
            }));
            prop_assert!(!(first.holds && second.holds), "{first:?} {second:?}");
            has_payload &= second.needs_payload();
            prop_assert!(has_payload || second.state != JobState::Queued, "{second:?}");
            let arrived = matches!(first.state, JobState::Sent | JobState::Delivered);
            prop_assert!(!arrived || second.state != JobState::Queued, "{first:?} {second:?}");
        }

        if has_failed(first.state) && is_over(&second) && !told.contains(&SmsState::Delivered) {
            let bad = |status: &SmsState| has_failed(JobState::ended(*status));
            prop_assert!(told.iter().any(bad), "{told:?} {first:?} {second:?}");
            prop_assert!(!first.holds && !second.holds, "{told:?} {first:?} {second:?}");
        }
    }
}
