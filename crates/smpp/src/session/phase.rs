//! Where a session stands between its connection and its end.

use std::time::{Duration, Instant};

use super::CloseReason;

/// How long a peer that has sent unbind may go on answering what it has: many send the responses right behind it.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before `Connected`.
    Fresh,
    Binding {
        sequence: u32,
        deadline: Instant,
    },
    Bound,
    /// Waits for responses; nothing new is submitted.
    Draining {
        reason: CloseReason,
        deadline: Instant,
    },
    Unbinding {
        reason: CloseReason,
        deadline: Instant,
    },
    /// The peer has asked for the end, and gets its answer when it has answered what it has.
    Leaving {
        sequence: u32,
        deadline: Instant,
    },
    /// `Close` has been said.
    Closed,
}

impl Phase {
    /// Gives the time at which it ends whatever the peer does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Binding { deadline, .. }
            | Self::Draining { deadline, .. }
            | Self::Unbinding { deadline, .. }
            | Self::Leaving { deadline, .. } => Some(deadline),
            Self::Fresh | Self::Bound | Self::Closed => None,
        }
    }
}
