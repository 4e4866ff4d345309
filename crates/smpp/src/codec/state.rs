//! What has become of a message: values of message_state (SMPP 3.4 §5.2.28).

/// State of a message, in receipts and in query_sm_resp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// On its way.
    Enroute,
    /// Delivered.
    Delivered,
    /// Its validity period ended before delivery.
    Expired,
    /// Deleted.
    Deleted,
    /// Cannot be delivered.
    Undeliverable,
    /// Accepted for delivery, or read for the subscriber by the operator's staff.
    Accepted,
    /// The SMSC does not know.
    Unknown,
    /// Rejected.
    Rejected,
    /// A number that SMPP 3.4 does not define; kept as it came.
    Other(u8),
}

impl From<u8> for MessageState {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 => Self::Undeliverable,
            6 => Self::Accepted,
            7 => Self::Unknown,
            8 => Self::Rejected,
            other => Self::Other(other),
        }
    }
}

impl MessageState {
    /// Gives the value on the wire.
    pub fn as_u8(self) -> u8 {
        match self {
            Self::Enroute => 1,
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
            Self::Undeliverable => 5,
            Self::Accepted => 6,
            Self::Unknown => 7,
            Self::Rejected => 8,
            Self::Other(value) => value,
        }
    }

    /// Tells whether nothing follows it. UNKNOWN and unheard-of numbers are not final: another question, or a receipt,
    /// may tell more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Expired | Self::Deleted | Self::Undeliverable | Self::Rejected)
    }

    /// Gives the seven-letter word of receipt texts (Appendix B); that of "unknown" for other numbers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Accepted => "ACCEPTD",
            Self::Unknown | Self::Other(_) => "UNKNOWN",
            Self::Rejected => "REJECTD",
        }
    }

    /// Gives the state of such a word; `None` for other words.
    pub fn from_word(word: &str) -> Option<Self> {
        (1..=8).map(Self::from).find(|state| state.word() == word)
    }
}
