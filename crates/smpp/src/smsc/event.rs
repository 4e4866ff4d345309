//! What a simulator tells: events as they happen, counters, and what it has accepted.

use crate::codec::{CommandStatus, DeliverSm, MessageState, SubmitSm};

/// A message that the simulator has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who submitted it.
    pub system_id: String,
    /// Its id, whatever the answer said.
    pub message_id: String,
    /// The message, as it came.
    pub message: SubmitSm,
    /// What becomes of it.
    pub state: MessageState,
}

/// Counters of a simulator since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmscCounts {
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused, or lost.
    pub refused: u64,
    /// Sessions bound now.
    pub bound: usize,
    /// Binds accepted.
    pub binds: u64,
    /// Receipts and messages delivered and answered with status 0.
    pub delivered: u64,
    /// enquire_link requests that came in.
    pub enquiries: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmscEvent {
    /// A connection came to no TLS session.
    HandshakeFailed,
    /// A session was bound.
    Bound {
        /// By whom.
        system_id: String,
    },
    /// A bind was refused.
    BindRefused {
        /// To whom.
        system_id: String,
        /// With what.
        status: CommandStatus,
    },
    /// A bound session ended.
    Unbound {
        /// Whose.
        system_id: String,
    },
    /// A message was accepted.
    Accepted(Accepted),
    /// A message was refused.
    Refused {
        /// To whom.
        system_id: String,
        /// With what.
        status: CommandStatus,
    },
    /// A message got no answer on purpose; if it was accepted, that was told just before.
    Unanswered {
        /// Whose.
        system_id: String,
    },
    /// A receipt or message was answered.
    Delivered {
        /// By whom.
        system_id: String,
        /// What was delivered.
        message: DeliverSm,
        /// The answer; anything but 0 brings it again.
        status: CommandStatus,
    },
    /// It died of [`super::Behaviour::die_after`].
    Died,
    /// It lives again by itself.
    Revived,
}
