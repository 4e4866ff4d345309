//! The plan for one submission: drawn from the seed, changed by a script.

use std::time::Duration;

use super::{Behaviour, FinalState, IdChoice, ReceiptShape, Receipts};
use crate::codec::{CommandStatus, SubmitSm};
use crate::random::Random;

/// How long an answer is held back that is to be overtaken by later ones.
const HELD_BACK: Duration = Duration::from_millis(5);
/// How long an answer waits for the receipt that is to come first, over whichever bind.
const AFTER_RECEIPT: Duration = Duration::from_millis(50);

/// What is done with one submit_sm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted and answered.
    Accept,
    /// Accepted, but the answer is lost.
    AcceptSilently,
    /// Refused with this status.
    Refuse(CommandStatus),
    /// Neither accepted nor answered.
    Lose,
    /// The connection is cut; not accepted.
    Disconnect,
}

/// The receipt of an accepted submission, if it asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptPlan {
    /// Which id it names.
    pub id: IdChoice,
    /// How often it comes; 0 for never.
    pub copies: u8,
    /// Whether it comes as data_sm.
    pub by_data_sm: bool,
    /// Shape of its text.
    pub shape: ReceiptShape,
}

/// The plan for one submit_sm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What is done.
    pub verdict: Verdict,
    /// How long until the answer.
    pub latency: Duration,
    /// Which id the answer gives.
    pub id: IdChoice,
    /// How long until the receipt, if one was asked for.
    pub receipt_delay: Duration,
    /// What the receipt says.
    pub state: FinalState,
    /// The rest about the receipt.
    pub receipt: ReceiptPlan,
}

impl Behaviour {
    /// Draws the plan for one submission. It always draws the same count of numbers, so that a seed stays comparable
    /// when the behaviour changes.
    pub(in crate::smsc) fn plan(&self, random: &mut Random, message: &SubmitSm, number: u64) -> Plan {
        let defaults = Receipts::default();
        let receipts = self.receipts.as_ref().unwrap_or(&defaults);
        let mut happens = |part: f64| random.fraction() < part;
        let throttled = happens(self.throttle);
        let full = happens(self.queue_full);
        let lost = happens(self.drop_requests);
        let silent = happens(self.drop_responses);
        let reordered = happens(self.reorder);
        let dropped = happens(receipts.drop);
        let twice = happens(receipts.twice);
        let early = happens(receipts.before_response);
        let by_data_sm = happens(receipts.by_data_sm);
        let mut plan = Plan {
            verdict: match () {
                () if throttled => Verdict::Refuse(CommandStatus::RTHROTTLED),
                () if full => Verdict::Refuse(CommandStatus::RMSGQFUL),
                () if lost => Verdict::Lose,
                () if silent => Verdict::AcceptSilently,
                () => Verdict::Accept,
            },
            latency: random.between(self.latency.min, self.latency.max),
            id: self.wrong_ids.choose(random.fraction()),
            receipt_delay: random.between(receipts.delay.min, receipts.delay.max),
            state: receipts.outcome(random.fraction()),
            receipt: ReceiptPlan {
                id: receipts.wrong_ids.choose(random.fraction()),
                copies: if dropped { 0 } else { 1 + u8::from(twice) },
                by_data_sm,
                shape: receipts.shape(random.fraction()),
            },
        };
        if let (Verdict::Accept, Some(status)) = (plan.verdict, self.refusal(random.fraction())) {
            plan.verdict = Verdict::Refuse(status);
        }
        if reordered {
            plan.latency += HELD_BACK;
        }
        if early {
            plan.receipt_delay = Duration::ZERO;
            plan.latency = plan.latency.max(AFTER_RECEIPT);
        }
        if let Some(script) = &self.script {
            script(message, number, &mut plan);
        }
        plan
    }

    /// Chooses one of the refusals, or none, by a number from 0 to 1.
    fn refusal(&self, mut drawn: f64) -> Option<CommandStatus> {
        let chosen = self.refuse.iter().find(|(_, part)| {
            drawn -= part;
            drawn < 0.0
        });
        chosen.map(|(status, _)| *status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smsc::{Span, WrongIds};

    fn troubled() -> Behaviour {
        Behaviour {
            latency: Span { min: Duration::from_millis(1), max: Duration::from_millis(9) },
            drop_responses: 0.3,
            throttle: 0.3,
            wrong_ids: WrongIds { another: 0.5, ..WrongIds::default() },
            receipts: Some(Receipts {
                twice: 0.5,
                shapes: ReceiptShape::ALL.to_vec(),
                ..Receipts::default()
            }),
            ..Behaviour::default()
        }
    }

    fn plans(behaviour: &Behaviour, seed: u64) -> Vec<Plan> {
        let mut random = Random::seeded(seed);
        (1..50).map(|number| behaviour.plan(&mut random, &SubmitSm::default(), number)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_plans() {
        assert_eq!(plans(&troubled(), 7), plans(&troubled(), 7));
        assert_ne!(plans(&troubled(), 7), plans(&troubled(), 8));
    }

    #[test]
    fn one_change_of_behaviour_leaves_the_other_draws_alone() {
        let calm = Behaviour { throttle: 0.0, receipts: None, ..troubled() };

        let (before, after) = (plans(&troubled(), 7), plans(&calm, 7));

        let drawn = |plans: &[Plan]| plans.iter().map(|plan| (plan.latency, plan.id)).collect::<Vec<_>>();
        assert_eq!(drawn(&before), drawn(&after));
    }

    #[test]
    fn refusals_are_drawn_by_their_parts() {
        let refuse = vec![(CommandStatus::RINVDSTADR, 0.25), (CommandStatus::RSYSERR, 0.5)];
        let refusing = Behaviour { refuse, ..Behaviour::default() };

        let refusals = [0.0, 0.24, 0.25, 0.74, 0.75, 0.99].map(|drawn| refusing.refusal(drawn));

        let (address, system) = (Some(CommandStatus::RINVDSTADR), Some(CommandStatus::RSYSERR));
        assert_eq!(refusals, [address, address, system, system, None, None]);
        let refused = |plan: &&Plan| matches!(plan.verdict, Verdict::Refuse(_));
        assert!((25..49).contains(&plans(&refusing, 3).iter().filter(refused).count()));
    }

    #[test]
    fn a_receipt_that_comes_first_does_not_wait_and_its_answer_does() {
        let early = Receipts {
            delay: Span::exactly(Duration::from_secs(9)),
            before_response: 1.0,
            ..Receipts::default()
        };

        let plan = plans(&Behaviour { receipts: Some(early), ..Behaviour::default() }, 1)[0];

        assert_eq!((plan.receipt_delay, plan.latency), (Duration::ZERO, AFTER_RECEIPT));
    }
}
