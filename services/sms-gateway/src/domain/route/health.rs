//! How well an SMSC does, from the outcomes of its last submissions.
//!
//! Bad is a submission that was not answered in time, or refused for a reason that does not lie in the message. An SMSC
//! that was asked to go slower (throttled) or lost its bind is not judged by that: it pauses anyway.

use std::collections::VecDeque;

use crate::settings::HealthSettings;

/// The last outcomes, as far as they tell something.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    last: VecDeque<bool>,
    bad: usize,
}

impl Outcomes {
    /// Adds one.
    pub(crate) fn add(&mut self, good: bool, settings: &HealthSettings) {
        self.last.push_back(good);
        self.bad += usize::from(!good);
        while self.last.len() > settings.outcomes {
            if self.last.pop_front() == Some(false) {
                self.bad -= 1;
            }
        }
    }

    /// Gives the part of its weight that the SMSC keeps: all of it up to a part of bad ones, from there on the less the
    /// more there are, and never less than the trickle that shows whether it is well again.
    pub(crate) fn health(&self, settings: &HealthSettings) -> f64 {
        if self.last.len() < settings.least {
            return 1.0;
        }
        let bad = self.bad as f64 / self.last.len() as f64;
        if bad <= settings.tolerated {
            return 1.0;
        }
        ((1.0 - bad) / (1.0 - settings.tolerated)).max(settings.trickle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(outcomes: &[(bool, usize)]) -> f64 {
        let settings = HealthSettings::default();
        let mut last = Outcomes::default();
        for (good, count) in outcomes {
            (0..*count).for_each(|_| last.add(*good, &settings));
        }
        last.health(&settings)
    }

    #[test]
    fn health_follows_the_last_outcomes() {
        let trickle = HealthSettings::default().trickle;

        assert_eq!(health(&[]), 1.0);
        assert_eq!(health(&[(false, 9)]), 1.0);
        assert_eq!(health(&[(false, 10)]), trickle);
        assert_eq!(health(&[(false, 25), (true, 25)]), 1.0);
        assert_eq!(health(&[(true, 10), (false, 30)]), 0.5);
        assert_eq!(health(&[(false, 1_000)]), trickle);
        assert_eq!(health(&[(false, 1_000), (true, 25)]), 1.0);
    }
}
