//! What one SMSC does not take, and when another one may get it.

use proptest::prelude::*;

use super::*;

const THROTTLED: PartEvent = PartEvent::Throttled { retry_at: RETRY };
const DECLINED: PartEvent = PartEvent::Declined(CommandStatus::RSYSERR);

fn names(tried: &[SmscName]) -> Vec<&str> {
    tried.iter().map(SmscName::as_str).collect()
}

#[test]
fn what_an_smsc_declines_whole_goes_on_at_once() {
    let mut attempt = attempt(2);

    let published = run(&mut attempt, [(1, DECLINED), (2, THROTTLED)]);
    attempt.pass_on(true, NOW);

    assert_eq!(published, []);
    assert_eq!((attempt.state, attempt.due_at, attempt.is_pinned()), (JobState::Queued, Some(NOW), false));
    assert_eq!(names(&attempt.tried), ["main"]);
    assert!(attempt.may_leave_by(&"other".into(), NOW));
    attempt.begin(2, &"other".into(), RETRY);
    assert_eq!(names(&attempt.tried_so_far()), ["main", "other"]);
    assert!(attempt.parts.iter().all(|part| part.refusal.is_none()));
}

#[test]
fn when_no_other_is_left_it_waits_for_a_new_try() {
    let mut attempt = attempt(1);
    attempt.tried = vec!["other".into()];

    run(&mut attempt, [(1, THROTTLED)]);
    attempt.pass_on(false, NOW);

    assert_eq!((attempt.due_at, attempt.tried.len()), (Some(RETRY), 0));
}

#[test]
fn what_an_smsc_has_a_part_of_stays_and_ends_with_what_it_declined() {
    for events in [[(1, DECLINED), (2, accepted("a"))], [(2, accepted("a")), (1, DECLINED)]] {
        let mut attempt = attempt(2);

        let published = run(&mut attempt, events);

        assert_eq!(statuses(&published), [SmsState::Failed]);
        assert!(published[0].error_text.as_deref().unwrap().contains("segment 1 of 2: ESME_RSYSERR"));
    }
}

#[test]
fn what_an_smsc_may_have_a_part_of_goes_to_no_other() {
    let mut unknown = attempt(2);
    let mut silent = attempt(2);

    let published = run(&mut unknown, [(1, DECLINED), (2, PartEvent::Unknown)]);
    assert_eq!(run(&mut silent, [(1, DECLINED)]), []);

    assert_eq!(statuses(&published), [SmsState::Failed]);
    assert_eq!(silent.state, JobState::Submitting);
    assert_eq!(statuses(&silent.give_up(true, NOW)), [SmsState::Failed]);
    assert!(!unknown.may_pass_on() && !silent.may_pass_on());
}

#[test]
fn what_waits_for_its_own_smsc_does_not_leave_by_another() {
    let mut attempt = attempt(2);

    run(&mut attempt, [(1, accepted("a")), (2, THROTTLED)]);
    attempt.pass_on(true, NOW);

    assert_eq!((attempt.due_at, attempt.tried.len()), (Some(RETRY), 0));
    assert!(!attempt.may_leave_by(&"other".into(), RETRY) && attempt.may_leave_by(&"main".into(), RETRY));
    assert!(!attempt.may_leave_by(&"main".into(), NOW));
}

fn event() -> impl Strategy<Value = PartEvent> {
    prop_oneof![
        3 => Just(THROTTLED),
        3 => Just(DECLINED),
        3 => Just(PartEvent::NotSent { retry_at: RETRY }),
        1 => Just(accepted("7")),
        1 => Just(PartEvent::Unknown),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_brings_a_message_to_two_smscs(
        segments in 1i32..4,
        class in proptest::sample::select(vec![SmsClass::Bulk, SmsClass::Otp]),
        steps in proptest::collection::vec((1i32..4, event(), any::<bool>()), 0..60),
    ) {
        let smscs = ["main", "b", "c"].map(SmscName::from);
        let mut attempt = Attempt { class, ..attempt(segments) };
        for (number, event, gives_up) in steps {
            // As the tables' side does it.
            let another = |attempt: &Attempt| !attempt.came_back() && smscs.iter().any(|smsc| !attempt.tried_so_far().contains(smsc));
            let event = match event {
                PartEvent::Declined(status) if !(attempt.may_pass_on() && another(&attempt)) => {
                    PartEvent::Refused(status.into())
                }
                event => event,
            };
            let before = attempt.state;
            attempt.apply(number, attempt.resends, event);
            attempt.settle();
            if before != JobState::Queued && attempt.state == JobState::Queued {
                let left = another(&attempt);
                attempt.pass_on(left, NOW);
            }
            if gives_up && attempt.state == JobState::Unknown && attempt.due_at.is_some() {
                attempt.give_up(true, NOW);
            }
            if attempt.state == JobState::Queued {
                // At most once for each SMSC and try.
                let fresh = smscs.iter().find(|smsc| !attempt.tried.contains(smsc));
                let free = fresh.filter(|smsc| attempt.may_leave_by(smsc, RETRY));
                let smsc = free.or(attempt.smsc.as_ref()).cloned().unwrap();
                prop_assert!(attempt.is_pinned() || !attempt.tried.contains(&smsc));
                attempt.begin(segments, &smsc, RETRY);
            }
            let with: Vec<&SmscName> =
                attempt.parts.iter().filter(|part| part.state != PartState::Queued).map(|part| &part.smsc).collect();
            prop_assert!(with.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", attempt.parts);
        }
    }
}
