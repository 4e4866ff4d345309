//! Segments: where each stands, and what may happen to it.

use common::models::UnixMillis;
use common::models::sms::{SmsState, SmscName};
use smpp::codec::CommandStatus;

use crate::domain::outcome::Refusal;
use crate::domain::receipt::Fate;

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartState {
    /// May be sent (again): certainly not with the SMSC, or its class asks for one more try.
    Queued,
    /// Handed to the session; may be on its way.
    Submitting,
    /// The SMSC has it.
    Accepted,
    /// The SMSC does not want it, or it was given up before it could leave.
    Refused,
    /// Written, and no answer came.
    Unknown,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Number from 1.
    pub(crate) number: i32,
    /// Through which SMSC.
    pub(crate) smsc: SmscName,
    /// Where it stands.
    pub(crate) state: PartState,
    /// The SMSC's id, as it came.
    pub(crate) message_id: Option<String>,
    /// Why it was refused; of a queued one, why the SMSC of its last try declined it.
    pub(crate) refusal: Option<Refusal>,
    /// What its receipt said.
    pub(crate) fate: Option<Fate>,
    /// When it was stored as it is; none before.
    pub(crate) stored_at: Option<UnixMillis>,
}

impl Part {
    /// Makes a segment that is about to leave.
    pub(super) fn leaving(number: i32, smsc: &SmscName) -> Self {
        Self {
            number,
            smsc: smsc.clone(),
            state: PartState::Submitting,
            message_id: None,
            refusal: None,
            fate: None,
            stored_at: None,
        }
    }

    /// Tells since when it has waited for its first receipt, if it does: since it was stored, or now.
    pub(crate) fn awaits_receipt_since(&self, now: UnixMillis) -> Option<UnixMillis> {
        let waits = self.state == PartState::Accepted && self.fate.is_none();
        waits.then(|| self.stored_at.unwrap_or(now))
    }

    /// Gives what its receipt says has become of it; nothing as long as that is not decided.
    pub(super) fn says(&self) -> Option<SmsState> {
        self.fate.as_ref()?.state()
    }

    /// Tells whether it has left, or may have, and nobody knows what came of that.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, PartState::Submitting | PartState::Unknown)
    }

    /// Tells whether it is to leave.
    pub(super) fn waits(&self) -> bool {
        self.state == PartState::Queued
    }

    /// Notes that the SMSC does not want it.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.state = PartState::Refused;
        self.refusal = Some(refusal);
    }
}

impl PartEvent {
    /// Gives the name that metrics and log lines have.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Refused(_) | Self::Declined(_) => "refused",
            Self::Throttled { .. } => "throttled",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown => "unknown",
            Self::Receipt(_) | Self::Found { .. } => "receipt",
        }
    }

    /// Tells whether the segment may leave once more because of it.
    pub(crate) fn gives_back(&self) -> bool {
        matches!(self, Self::Declined(_) | Self::Throttled { .. } | Self::NotSent { .. })
    }
}

/// What happened to a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartEvent {
    /// Taken; some SMSCs give no id.
    Accepted {
        /// The SMSC's id.
        message_id: Option<String>,
    },
    /// Refused by an SMSC that cannot take it now, where another one may.
    Declined(CommandStatus),
    /// Refused for good.
    Refused(Refusal),
    /// Not taken now: throttled or queue full. Tried again at the given time.
    Throttled {
        /// When.
        retry_at: UnixMillis,
    },
    /// Never written to the socket. Tried again at the given time.
    NotSent {
        /// When.
        retry_at: UnixMillis,
    },
    /// Written; the answer stayed away or the link was lost.
    Unknown,
    /// Its receipt came.
    Receipt(Fate),
    /// Its receipt came, and is the first word about it.
    Found {
        /// The SMSC's id.
        message_id: String,
        /// What the receipt says.
        fate: Fate,
    },
}
