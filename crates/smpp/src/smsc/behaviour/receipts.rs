//! Receipts: when, how, and what they say.

use std::time::Duration;

use super::{IdFormat, ReceiptShape, Span, WrongIds};
use crate::codec::MessageState;

/// What becomes of an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalState {
    /// The state.
    pub state: MessageState,
    /// Error code, 0 for none.
    pub err: u16,
}

impl FinalState {
    /// Delivered, without error.
    pub const DELIVERED: Self = Self { state: MessageState::Delivered, err: 0 };

    /// Gives the state of the seven-letter word of SMPP 3.4 Appendix B, such as `UNDELIV`; `None` for other words.
    pub fn from_word(word: &str, err: u16) -> Option<Self> {
        MessageState::from_word(word).map(|state| Self { state, err })
    }
}

/// Where a receipt says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiptFormat {
    /// In the text alone.
    Text,
    /// In TLVs alone; the text is empty. An ESME that speaks SMPP 3.3 gets the text instead.
    Tlv,
    /// In both.
    #[default]
    Both,
}

/// How receipts are made. Parts are numbers from 0 (never) to 1 (always).
#[derive(Debug, Clone)]
pub struct Receipts {
    /// How long after the submission.
    pub delay: Span,
    /// States with their weights; empty is always delivered.
    pub outcomes: Vec<(u32, FinalState)>,
    /// Text, TLVs, both.
    pub format: ReceiptFormat,
    /// Shapes of the text, one drawn for each receipt; empty is always [`ReceiptShape::STANDARD`].
    pub shapes: Vec<ReceiptShape>,
    /// How ids are written in receipts, if not as in responses.
    pub ids: Option<IdFormat>,
    /// Receipts with ids that are not the message's.
    pub wrong_ids: WrongIds,
    /// Part of the receipts that never come.
    pub drop: f64,
    /// Part of the receipts that come twice.
    pub twice: f64,
    /// Part of the receipts that come before the answer to their submission.
    pub before_response: f64,
    /// Part of the receipts that come as data_sm.
    pub by_data_sm: f64,
    /// How long after a refusal (any status but 0) or a lost link it comes again.
    pub retry: Duration,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            delay: Span::default(),
            outcomes: Vec::new(),
            format: ReceiptFormat::default(),
            shapes: Vec::new(),
            ids: None,
            wrong_ids: WrongIds::default(),
            drop: 0.0,
            twice: 0.0,
            before_response: 0.0,
            by_data_sm: 0.0,
            retry: Duration::from_secs(1),
        }
    }
}

impl Receipts {
    pub(super) fn outcome(&self, draw: f64) -> FinalState {
        let total: u32 = self.outcomes.iter().map(|&(weight, _)| weight).sum();
        let mut left = draw * f64::from(total);
        for &(weight, state) in &self.outcomes {
            left -= f64::from(weight);
            if left < 0.0 {
                return state;
            }
        }
        FinalState::DELIVERED
    }

    pub(super) fn shape(&self, draw: f64) -> ReceiptShape {
        let at = (draw * self.shapes.len() as f64) as usize;
        self.shapes.get(at).copied().unwrap_or(ReceiptShape::STANDARD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_by_weight() {
        let failed = FinalState::from_word("UNDELIV", 9).unwrap();
        let receipts =
            Receipts { outcomes: vec![(3, FinalState::DELIVERED), (1, failed)], ..Receipts::default() };

        assert_eq!(receipts.outcome(0.0), FinalState::DELIVERED);
        assert_eq!(receipts.outcome(0.74), FinalState::DELIVERED);
        assert_eq!(receipts.outcome(0.76), failed);
        assert_eq!(Receipts::default().outcome(0.5), FinalState::DELIVERED);
    }
}
