//! Two attempts with the same ids: what their client is told.

use proptest::prelude::*;

use super::random::event;
use super::*;

/// Applies an event to one of two attempts, as the store does; gives what is told.
fn tell(one: &mut Attempt, other: &mut Attempt, event: PartEvent) -> Vec<SmsState> {
    let holds = one.holds;
    one.apply(1, 0, event);
    let emissions = one.settle();
    statuses(&if !holds && other.holds { one.speak_beside(other, emissions) } else { emissions })
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

    assert_eq!((second.state, second.holds, first.holds), (JobState::Cancelled, false, true));
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

proptest! {
    #[test]
    fn nothing_good_is_told_twice_unless_the_other_one_has_failed(
        events in proptest::collection::vec((any::<bool>(), event(), any::<bool>()), 0..24),
    ) {
        let [mut first, mut second] = two(false);
        let mut told = Vec::new();
        for (is_first, event, give_up) in events {
            let (one, other) = if is_first { (&mut first, &mut second) } else { (&mut second, &mut first) };
            let new = tell(one, other, event);
            // Of one that has failed the other says that it is sent after all.
            let failed = matches!(other.state, JobState::Failed | JobState::Invalid | JobState::Expired);
            for good in [SmsState::Sent, SmsState::Delivered] {
                let again = told.contains(&good) && new.contains(&good);
                prop_assert!(!again || failed, "{told:?} {new:?} {other:?}");
            }
            told.extend(new);
            if give_up && matches!(second.state, JobState::Submitting | JobState::Unknown) && second.due_at.is_some() {
                told.extend(statuses(&second.give_up(true, NOW)));
            }
            prop_assert!(!(first.holds && second.holds), "{first:?} {second:?}");
        }
    }
}
