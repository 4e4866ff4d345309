//! How the simulator behaves, and what it does with one message.

mod binds;
mod ids;
mod plan;
mod receipts;
mod shapes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use binds::Binds;
pub use ids::{IdChoice, IdFormat, WrongIds};
pub use plan::{Plan, ReceiptPlan, Verdict};
pub use receipts::{FinalState, ReceiptFormat, Receipts};
pub(super) use shapes::Facts;
pub use shapes::ReceiptShape;

use crate::codec::{CommandStatus, SubmitSm};

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

/// Changes the plan for a message; the number counts submissions from 1.
pub type Script = Arc<dyn Fn(&SubmitSm, u64, &mut Plan) + Send + Sync>;

/// How the simulator behaves. The default accepts everything at once and makes no receipt. Parts are numbers from 0
/// (never) to 1 (always).
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Who may bind, and what a bind is told.
    pub binds: Binds,
    /// How long until the answer to submit_sm. A span of some width puts answers out of order.
    pub latency: Span,
    /// Part of the answers that are held back so that later ones overtake them.
    pub reorder: f64,
    /// How ids are written.
    pub ids: IdFormat,
    /// Answers with ids that are not the message's.
    pub wrong_ids: WrongIds,
    /// How receipts are made; `None` for none. Only messages that ask for one (registered_delivery) get one.
    pub receipts: Option<Receipts>,
    /// Part of the submissions that are accepted without an answer.
    pub drop_responses: f64,
    /// Part of the submissions that are neither accepted nor answered.
    pub drop_requests: f64,
    /// Part of the submissions that are refused with [`crate::codec::CommandStatus::RTHROTTLED`].
    pub throttle: f64,
    /// Part of the submissions that are refused with [`crate::codec::CommandStatus::RMSGQFUL`].
    pub queue_full: f64,
    /// Statuses with the part of the submissions that are refused with them.
    pub refuse: Vec<(CommandStatus, f64)>,
    /// Most submissions accepted in a second; more are refused with [`crate::codec::CommandStatus::RTHROTTLED`].
    pub tps: Option<u32>,
    /// enquire_link gets no answer.
    pub ignore_enquire_link: bool,
    /// It dies when it has accepted so many messages, before it answers the last one.
    pub die_after: Option<u64>,
    /// How long after such a death it lives again by itself, to die again after as many more; `None` for never.
    pub revive_after: Option<Duration>,
    /// Has the last word on every submission.
    pub script: Option<Script>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("binds", &self.binds)
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
