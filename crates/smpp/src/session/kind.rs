//! The kinds of bind.

use crate::codec::{Bind, Body};

/// Which way messages may go (SMPP 3.4 §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BindKind {
    /// Only submits.
    Transmitter,
    /// Only receives.
    Receiver,
    /// Both.
    #[default]
    Transceiver,
}

impl BindKind {
    /// Gives its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
            Self::Transceiver => "transceiver",
        }
    }

    pub(crate) fn request(self, bind: Bind) -> Body {
        match self {
            Self::Transmitter => Body::BindTransmitter(bind),
            Self::Receiver => Body::BindReceiver(bind),
            Self::Transceiver => Body::BindTransceiver(bind),
        }
    }
}
