//! Any number of attempts with the same ids, as clients send them anew whenever they may: what they are told.

use proptest::prelude::*;

use super::random::event;
use super::*;

/// Requests that may follow each other.
const MOST: usize = 4;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The SMSC says something.
    Hear,
    /// The one that waits leaves.
    Leave,
    /// An outcome is waited for no longer.
    GiveUp,
    /// The one that waits is too late.
    Expire,
}

/// All that was sent under the same ids, the oldest first.
#[derive(Debug)]
struct Same {
    segments: i32,
    attempts: Vec<Attempt>,
    /// Whether a row still has what is to be sent.
    has_payload: Vec<bool>,
    told: Vec<SmsState>,
}

impl Same {
    fn request(&mut self, class: SmsClass) {
        let waiting = Attempt { class, state: JobState::Queued, parts: Vec::new(), ..attempt(self.segments) };
        self.attempts.push(waiting);
        self.has_payload.push(true);
    }

    fn is_free(&self) -> bool {
        !self.attempts.iter().any(|attempt| attempt.holds)
    }

    fn act(&mut self, index: usize, act: Act, (part, copy): (i32, i32), event: PartEvent) -> Vec<SmsState> {
        let Some(one) = self.attempts.get_mut(index) else { return Vec::new() };
        let waited_for =
            matches!(one.state, JobState::Submitting | JobState::Unknown) && one.due_at.is_some();
        statuses(&match act {
            Act::Hear => return statuses(&self.hear(index, (part, copy), event)),
            Act::Leave if one.state == JobState::Queued => {
                one.begin(self.segments, &"main".into(), RETRY);
                Vec::new()
            }
            Act::GiveUp if waited_for => one.give_up(true, NOW),
            Act::Expire if one.state == JobState::Queued => one.drop_waiting(SmsState::Expired, None, true),
            _ => Vec::new(),
        })
    }

    fn hear(&mut self, index: usize, (part, copy): (i32, i32), event: PartEvent) -> Vec<Emission> {
        let mut one = self.attempts.remove(index);
        let known = one.parts.iter().find(|known| known.number == part);
        // A receipt names the id that an answer gave; and nothing else is heard of what has not left.
        let is_receipt = matches!(event, PartEvent::Receipt(_));
        let may_be_heard = known.is_some_and(|known| match is_receipt {
            true => known.message_id.is_some(),
            false => one.state != JobState::Queued || one.resends > 0,
        });
        let mut emissions = Vec::new();
        if may_be_heard {
            let (holds, before) = (one.holds, one.state);
            one.apply(part, copy.min(one.resends), event);
            emissions = one.settle();
            if let Some(heir) = self.attempts.iter_mut().find(|other| !holds && other.holds) {
                emissions = one.speak_beside(before, heir, emissions);
            }
        }
        self.attempts.insert(index, one);
        emissions
    }

    fn has_another_arrived(&self, index: usize) -> bool {
        let mut others = self.attempts.iter().enumerate().filter(|(other, _)| *other != index);
        others.any(|(_, other)| other.state.has_arrived())
    }

    fn assert_sound(&mut self) -> Result<(), TestCaseError> {
        prop_assert!(self.attempts.iter().filter(|one| one.holds).count() <= 1, "two hold the ids: {self:?}");
        for (index, one) in self.attempts.iter().enumerate() {
            self.has_payload[index] &= one.needs_payload();
            if one.state == JobState::Queued {
                prop_assert!(self.has_payload[index], "{index} cannot leave: {self:?}");
                prop_assert!(
                    !one.emitted.is_left_to_another(),
                    "{index} waits, and another speaks: {self:?}"
                );
                prop_assert!(
                    !self.has_another_arrived(index),
                    "{index} waits, and another arrived: {self:?}"
                );
            }
        }
        Ok(())
    }

    fn assert_may_be_told(&self, index: usize, act: Act, new: &[SmsState]) -> Result<(), TestCaseError> {
        for status in new {
            match status {
                SmsState::Delivered => {
                    prop_assert!(!self.told.contains(status), "{new:?} after {:?}: {self:?}", self.told);
                }
                // Of one whose heir has ended badly it is told that it has arrived after all.
                SmsState::Sent => {
                    let good = |told: &&SmsState| matches!(told, SmsState::Sent | SmsState::Delivered);
                    let since = self.told.iter().rev().take_while(|told| !good(told)).count();
                    let is_first = since == self.told.len();
                    prop_assert!(is_first || since > 0, "{new:?} after {:?}: {self:?}", self.told);
                }
                _ => {
                    let known = matches!(act, Act::Hear) && self.has_another_arrived(index);
                    prop_assert!(!known, "{new:?} of {index} though another arrived: {self:?}");
                }
            }
        }
        Ok(())
    }

    /// Whether nothing more can come of an attempt but a correction.
    fn is_over(&self) -> bool {
        self.attempts.iter().all(|one| match one.state {
            JobState::Unknown => one.due_at.is_none(),
            state => !state.holds() && state != JobState::Looping,
        })
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![8 => Just(Act::Hear), 5 => Just(Act::Leave), 4 => Just(Act::GiveUp), 1 => Just(Act::Expire)]
}

proptest! {
    // What goes wrong with three of them takes a dozen steps.
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn all_that_was_sent_under_the_same_ids_speaks_with_one_voice(
        segments in 1i32..3,
        classes in proptest::collection::vec(
            proptest::sample::select(vec![SmsClass::Bulk, SmsClass::Otp]), 1..=MOST,
        ),
        steps in proptest::collection::vec((0..12usize, act(), (0i32..6, 0i32..2), event()), 0..48),
    ) {
        let mut same = Same { segments, attempts: Vec::new(), has_payload: Vec::new(), told: Vec::new() };
        let mut classes = classes.into_iter();
        for (index, act, segment, event) in steps {
            if same.is_free() && let Some(class) = classes.next() {
                same.request(class);
            }
            let (index, segment) = (index % same.attempts.len().max(1), (1 + segment.0 % segments, segment.1));
            let new = same.act(index, act, segment, event);
            same.assert_may_be_told(index, act, &new)?;
            same.told.extend(new);
            same.assert_sound()?;
        }
        if same.is_over() && !same.attempts.is_empty() {
            prop_assert!(same.is_free(), "the ids stay taken: {same:?}");
            let bad = |told: &SmsState| !matches!(told, SmsState::Sent | SmsState::Delivered);
            prop_assert!(same.told.iter().any(bad), "no end was told: {same:?}");
        }
    }
}
