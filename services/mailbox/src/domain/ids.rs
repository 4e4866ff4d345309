//! What names a mailbox, and the kinds of envelopes.

use common::models::{AccountId, DeviceId};

/// A mailbox: one device of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MailboxId {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
}

impl MailboxId {
    /// The key of its live events: 16 octets of the account, one of the device.
    pub(crate) fn live_key(self) -> Vec<u8> {
        let device = u8::try_from(self.device.as_i32()).unwrap_or_default();
        [&self.account.to_bytes()[..], &[device]].concat()
    }
}

/// What an envelope's content is, with Signal's numbers. 5 is the server's own there, and not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvelopeKind {
    /// A message in an established session.
    Ciphertext,
    /// A message that begins a session.
    PreKey,
    /// A message whose sender is inside.
    SealedSender,
    /// A report, not encrypted, that a message could not be decrypted.
    PlaintextError,
}

impl EnvelopeKind {
    /// The number on the wire and in the table.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Ciphertext => 1,
            Self::PreKey => 3,
            Self::SealedSender => 6,
            Self::PlaintextError => 8,
        }
    }

    /// Reads the number that a sender gave.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Ciphertext, Self::PreKey, Self::SealedSender, Self::PlaintextError]
            .into_iter()
            .find(|kind| i64::from(kind.number()) == number)
    }
}
