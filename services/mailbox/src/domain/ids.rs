//! What names a mailbox, and the kinds of envelopes.

use common::models::{AccountId, DeviceId};
use uuid::Uuid;

/// A mailbox: one device of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MailboxId {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
}

/// The key of a mailbox's live events: 16 octets of the account, one of the device.
pub(crate) type LiveKey = [u8; 17];

impl MailboxId {
    /// The key of its live events.
    pub(crate) fn live_key(self) -> LiveKey {
        let mut key = LiveKey::default();
        let (account, device) = key.split_at_mut(16);
        account.copy_from_slice(&self.account.to_bytes());
        device.fill(u8::try_from(self.device.as_i32()).unwrap_or_default());
        key
    }

    /// The mailbox of a key, if it is one.
    pub(crate) fn from_live_key(key: LiveKey) -> Option<Self> {
        let (account, device) = key.split_first_chunk::<16>()?;
        let device = DeviceId::new(i64::from(*device.first()?)).ok()?;
        Some(Self { account: Uuid::from_bytes(*account).into(), device })
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
