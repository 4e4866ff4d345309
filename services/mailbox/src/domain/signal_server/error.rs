//! What can go wrong, by what a caller can do about it.

use db::DbError;

use crate::domain::MailboxError;

/// A verb of this interface failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignalServerError {
    /// The caller has no device.
    #[error("the account has no device")]
    NoDevice,
    /// The caller's device is another than the caller believes.
    #[error("the device of the account is another")]
    DeviceChanged,
    /// The recipient has no device.
    #[error("the recipient has no device")]
    NoRecipientDevice,
    /// The recipient's device is another than the message was encrypted to.
    #[error("the device of the recipient is another")]
    RecipientChanged,
    /// What can go wrong everywhere.
    #[error(transparent)]
    Other(#[from] MailboxError),
}

impl From<DbError> for SignalServerError {
    fn from(error: DbError) -> Self {
        Self::Other(error.into())
    }
}
