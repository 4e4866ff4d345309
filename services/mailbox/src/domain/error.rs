//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use common::models::DeviceId;
use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use serde_json::{Map, Value, json};

use super::device_set::Mismatch;

/// A verb of this service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailboxError {
    /// The account or the device has no mailbox.
    #[error("no such mailbox")]
    NotFound,
    /// The send does not address the devices as they are: encrypt for these and send again.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A device has no room for its copy; nothing was stored for any.
    #[error("a mailbox of the recipient is full")]
    Full { devices: Vec<DeviceId> },
    /// One device is addressed twice.
    #[error("device {device} is addressed more than once")]
    DuplicateDevice { device: DeviceId },
    /// An envelope without content.
    #[error("the content for device {device} is empty")]
    EmptyContent { device: DeviceId },
    /// An envelope with too much content.
    #[error("the content for device {device} is longer than {limit} bytes")]
    ContentTooLarge { device: DeviceId, limit: usize },
    /// A kind of envelope that clients may not send.
    #[error("envelopes of type {number} cannot be sent")]
    KindRefused { number: i64 },
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// An ack of what was never stored would remove what comes until it is processed.
    #[error("the last envelope of this mailbox has seq {last}")]
    AckBeyondLast { last: i64 },
    /// An account that blocks as many as it may.
    #[error("{limit} accounts are blocked already")]
    BlockListFull { limit: u32 },
    /// An account that would not hear from its own devices.
    #[error("an account cannot block itself")]
    OwnAccount,
    /// This life of the device has ended.
    #[error("this generation of the device is closed")]
    GenerationClosed,
    /// The account was deleted.
    #[error("the account is deleted")]
    AccountDeleted,
    /// The caller's session, device or account ended while it waited.
    #[error("a valid access token is needed")]
    Revoked,
    /// A ticket that opens nothing; which of the reasons it is, is not told.
    #[error("a valid ticket is needed")]
    TicketRefused,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl MailboxError {
    /// The outcome of a send, for its metric.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Mismatch(_) => "mismatch",
            Self::Full { .. } => "full",
            Self::Db(_) => "failed",
            _ => "refused",
        }
    }
}

impl AsProblem for MailboxError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::NotFound => ProblemKind::NotFound("mailbox-not-found"),
            Self::Mismatch(mismatch) if mismatch.only_stale() => ProblemKind::Gone("stale-devices"),
            Self::Mismatch(_) => ProblemKind::Conflict("device-set-mismatch"),
            Self::Full { .. } => ProblemKind::InsufficientStorage("mailbox-full"),
            Self::DuplicateDevice { .. } => ProblemKind::Unprocessable("duplicate-device"),
            Self::EmptyContent { .. } => ProblemKind::Unprocessable("empty-content"),
            Self::ContentTooLarge { .. } => ProblemKind::TooLarge,
            Self::KindRefused { .. } => ProblemKind::Unprocessable("envelope-type-refused"),
            Self::KeyReused => ProblemKind::Unprocessable("idempotency-key-reused"),
            Self::AckBeyondLast { .. } => ProblemKind::Unprocessable("ack-beyond-last"),
            Self::BlockListFull { .. } => ProblemKind::Unprocessable("block-list-full"),
            Self::OwnAccount => ProblemKind::Unprocessable("own-account"),
            Self::GenerationClosed => ProblemKind::Conflict("generation-closed"),
            Self::AccountDeleted => ProblemKind::Conflict("account-deleted"),
            Self::Revoked | Self::TicketRefused => ProblemKind::Unauthenticated,
            Self::Db(error) => error.kind(),
        }
    }

    fn extensions(&self) -> Map<String, Value> {
        let members = match self {
            Self::Mismatch(mismatch) => vec![
                ("missingDevices", json!(mismatch.missing)),
                ("extraDevices", json!(mismatch.extra)),
                ("staleDevices", json!(mismatch.stale)),
            ],
            Self::Full { devices } => vec![("fullDevices", json!(devices))],
            Self::AckBeyondLast { last } => vec![("lastSeq", json!(last))],
            _ => Vec::new(),
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}
