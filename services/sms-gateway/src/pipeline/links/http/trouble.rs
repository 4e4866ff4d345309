//! When a provider is left alone for a while, and for how long. Knows no clock.

use std::time::Duration;

use tokio::time::Instant;

/// So many messages in a row without an answer that tells anything: the next ones would only be lost, too.
const UNANSWERED: u32 = 3;

/// Why a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It says that it wants no more for now.
    Throttled,
    /// No connection.
    Unreachable,
    /// It answers nothing, or nothing that tells what became of a message.
    Unanswered,
}

/// The first and the longest of pauses that double.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

/// How a provider does.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pause: Option<(Cause, Instant)>,
    last: Duration,
    unanswered: u32,
}

impl Trouble {
    /// Tells why it is left alone now, if it is.
    pub(super) fn now(&self, now: Instant) -> Option<Cause> {
        self.pause.filter(|(_, until)| *until > now).map(|(cause, _)| cause)
    }

    /// It answers: all is well.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Begins a pause, of `wish` at least, and gives its length. What comes while there is one was sent before it, and
    /// says nothing new but its wish.
    pub(super) fn begin(
        &mut self,
        (cause, wish): (Cause, Duration),
        pauses: Pauses,
        now: Instant,
    ) -> Option<Duration> {
        if let Some((_, until)) = self.pause.as_mut().filter(|(_, until)| *until > now) {
            *until = (*until).max(now + wish);
            return None;
        }
        self.last = self.last.saturating_mul(2).clamp(pauses.first, pauses.longest);
        let pause = self.last.max(wish);
        self.pause = Some((cause, now + pause));
        Some(pause)
    }

    /// Counts a message whose outcome is unknown; with the third in a row begins a pause.
    pub(super) fn unanswered(&mut self, pauses: Pauses, now: Instant) -> Option<Duration> {
        self.unanswered += 1;
        if self.unanswered < UNANSWERED {
            return None;
        }
        self.begin((Cause::Unanswered, Duration::ZERO), pauses, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(5) };

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_an_answer() {
        let (mut trouble, mut now) = (Trouble::default(), Instant::now());
        let mut pauses = Vec::new();

        for _ in 0..5 {
            let pause = trouble.begin((Cause::Unreachable, Duration::ZERO), PAUSES, now).unwrap();
            assert_eq!(trouble.now(now), Some(Cause::Unreachable));
            now += pause;
            assert_eq!(trouble.now(now), None);
            pauses.push(pause.as_secs());
        }
        trouble.end();
        let fresh = trouble.begin((Cause::Throttled, Duration::ZERO), PAUSES, now);

        assert_eq!((pauses, fresh), (vec![1, 2, 4, 5, 5], Some(Duration::from_secs(1))));
    }

    #[test]
    fn what_fails_during_a_pause_makes_it_no_longer_but_a_wish_does() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        trouble.begin((Cause::Throttled, Duration::ZERO), PAUSES, now);

        assert_eq!(trouble.begin((Cause::Throttled, Duration::ZERO), PAUSES, now), None);
        assert_eq!(trouble.now(now + Duration::from_secs(1)), None);
        trouble.begin((Cause::Throttled, Duration::from_secs(30)), PAUSES, now);

        assert_eq!(trouble.now(now + Duration::from_secs(29)), Some(Cause::Throttled));
    }

    #[test]
    fn a_wish_may_be_longer_than_the_longest_pause() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());

        let pause = trouble.begin((Cause::Throttled, Duration::from_secs(60)), PAUSES, now);

        assert_eq!(pause, Some(Duration::from_secs(60)));
    }

    #[test]
    fn three_unknown_outcomes_in_a_row_are_a_reason() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        assert_eq!((trouble.unanswered(PAUSES, now), trouble.unanswered(PAUSES, now)), (None, None));
        trouble.end();
        assert_eq!((trouble.unanswered(PAUSES, now), trouble.unanswered(PAUSES, now)), (None, None));

        let pause = trouble.unanswered(PAUSES, now);

        assert_eq!((pause, trouble.now(now)), (Some(PAUSES.first), Some(Cause::Unanswered)));
    }
}
