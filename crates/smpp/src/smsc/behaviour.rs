//! What the simulator does with a message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{CommandStatus, SubmitSm, message_state};
use crate::random::Random;

/// A duration between two, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Span {
    /// Always the same.
    pub fn exactly(duration: Duration) -> Self {
        Self { min: duration, max: duration }
    }
}

/// How message ids are written; they count up from 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdFormat {
    /// `1234`.
    #[default]
    Decimal,
    /// `4d2`.
    Hex,
    /// `0000001234`.
    Padded,
    /// The prefix, then `1234`.
    Prefixed(String),
}

impl IdFormat {
    pub(super) fn write(&self, number: u64) -> String {
        match self {
            Self::Decimal => number.to_string(),
            Self::Hex => format!("{number:x}"),
            Self::Padded => format!("{number:010}"),
            Self::Prefixed(prefix) => format!("{prefix}{number}"),
        }
    }
}

/// What becomes of an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalState {
    /// One of [`message_state`].
    pub state: u8,
    /// Error code, 0 for none.
    pub err: u16,
}

impl FinalState {
    /// Delivered, without error.
    pub const DELIVERED: Self = Self { state: message_state::DELIVERED, err: 0 };

    /// Gives the state of the seven-letter word of SMPP 3.4 Appendix B, such as `UNDELIV`; `None` for other words.
    pub fn from_word(word: &str, err: u16) -> Option<Self> {
        let state = (1..=8).find(|&state| super::receipt::word(state) == word)?;
        Some(Self { state, err })
    }
}

/// Where a receipt says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiptFormat {
    /// In the text alone.
    Text,
    /// In TLVs alone; the text is empty.
    Tlv,
    /// In both.
    #[default]
    Both,
}

/// How receipts are made.
#[derive(Debug, Clone)]
pub struct Receipts {
    /// How long after the submission.
    pub delay: Span,
    /// States with their weights; empty is always delivered.
    pub outcomes: Vec<(u32, FinalState)>,
    /// Text, TLVs, both.
    pub format: ReceiptFormat,
    /// How ids are written in receipts, if not as in responses.
    pub ids: Option<IdFormat>,
    /// How long after a refusal (any status but 0) or a lost link it comes again.
    pub retry: Duration,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            delay: Span::default(),
            outcomes: Vec::new(),
            format: ReceiptFormat::default(),
            ids: None,
            retry: Duration::from_secs(1),
        }
    }
}

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

/// The plan for one submit_sm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What is done.
    pub verdict: Verdict,
    /// How long until the answer.
    pub latency: Duration,
    /// How long until the receipt, if one was asked for.
    pub receipt_delay: Duration,
    /// What the receipt says.
    pub state: FinalState,
}

/// Changes the plan for a message; the number counts submissions from 1.
pub type Script = Arc<dyn Fn(&SubmitSm, u64, &mut Plan) + Send + Sync>;

/// How the simulator behaves. The default accepts everything at once and makes no receipt.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// How long until the answer to submit_sm.
    pub latency: Span,
    /// How ids are written.
    pub ids: IdFormat,
    /// How receipts are made; `None` for none. Only messages that ask for one (registered_delivery) get one.
    pub receipts: Option<Receipts>,
    /// Part of the submissions, 0 to 1, that are accepted without an answer.
    pub drop_responses: f64,
    /// Part of the submissions, 0 to 1, that are refused with [`CommandStatus::RTHROTTLED`].
    pub throttle: f64,
    /// Most submissions accepted in a second; more are refused with [`CommandStatus::RTHROTTLED`].
    pub tps: Option<u32>,
    /// It dies when it has accepted so many messages, before it answers the last one.
    pub die_after: Option<u64>,
    /// Has the last word on every submission.
    pub script: Option<Script>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("latency", &self.latency)
            .field("receipts", &self.receipts)
            .field("drop_responses", &self.drop_responses)
            .field("throttle", &self.throttle)
            .field("tps", &self.tps)
            .field("die_after", &self.die_after)
            .field("script", &self.script.is_some())
            .finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Draws the plan for one submission. It always draws the same count of numbers, so that a seed stays comparable.
    pub(super) fn plan(&self, random: &mut Random, message: &SubmitSm, number: u64) -> Plan {
        let latency = random.between(self.latency.min, self.latency.max);
        let (dropped, throttled) =
            (random.fraction() < self.drop_responses, random.fraction() < self.throttle);
        let delay = self.receipts.as_ref().map(|receipts| receipts.delay).unwrap_or_default();
        let receipt_delay = random.between(delay.min, delay.max);
        let draw = random.fraction();
        let outcomes = self.receipts.as_ref().map_or(&[][..], |receipts| &receipts.outcomes);
        let verdict = match (throttled, dropped) {
            (true, _) => Verdict::Refuse(CommandStatus::RTHROTTLED),
            (false, true) => Verdict::AcceptSilently,
            (false, false) => Verdict::Accept,
        };
        let mut plan = Plan { verdict, latency, receipt_delay, state: weighted(outcomes, draw) };
        if let Some(script) = &self.script {
            script(message, number, &mut plan);
        }
        plan
    }
}

fn weighted(outcomes: &[(u32, FinalState)], draw: f64) -> FinalState {
    let total: u32 = outcomes.iter().map(|&(weight, _)| weight).sum();
    let mut left = draw * f64::from(total);
    for &(weight, state) in outcomes {
        left -= f64::from(weight);
        if left < 0.0 {
            return state;
        }
    }
    FinalState::DELIVERED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plans() {
        let behaviour = Behaviour {
            latency: Span { min: Duration::from_millis(1), max: Duration::from_millis(9) },
            drop_responses: 0.3,
            throttle: 0.3,
            ..Behaviour::default()
        };
        let plans = |seed| {
            let mut random = Random::seeded(seed);
            (1..50)
                .map(|number| behaviour.plan(&mut random, &SubmitSm::default(), number))
                .collect::<Vec<_>>()
        };

        assert_eq!(plans(7), plans(7));
        assert_ne!(plans(7), plans(8));
    }

    #[test]
    fn outcomes_come_by_weight() {
        let failed = FinalState::from_word("UNDELIV", 9).unwrap();
        let outcomes = [(3, FinalState::DELIVERED), (1, failed)];

        assert_eq!(weighted(&outcomes, 0.0), FinalState::DELIVERED);
        assert_eq!(weighted(&outcomes, 0.74), FinalState::DELIVERED);
        assert_eq!(weighted(&outcomes, 0.76), failed);
        assert_eq!(weighted(&[], 0.5), FinalState::DELIVERED);
    }
}
