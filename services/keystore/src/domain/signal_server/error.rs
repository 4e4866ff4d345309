//! What can go wrong, by what a caller can do about it.

use clients::ClientError;
use db::DbError;
use web::RateLimited;

use crate::domain::KeystoreError;

/// A verb of this interface failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignalServerError {
    /// The caller has no device.
    #[error("the account has no device")]
    NoDevice,
    /// The caller's device is another than the caller believes.
    #[error("the device of the account is another")]
    DeviceChanged,
    /// An account has one device.
    #[error("the account has a device already")]
    DeviceExists,
    /// The account whose keys are wanted has no device.
    #[error("the recipient has no device")]
    NoRecipientDevice,
    /// The device whose keys are wanted has no prekey left.
    #[error("no prekey is left")]
    NoPrekeys,
    /// More prekeys than a device may have waiting; nothing was stored.
    #[error("a device has all the prekeys that it may have")]
    TooManyPrekeys,
    /// A key id stands for another key; nothing was stored.
    #[error("a key id stands for another key")]
    KeyIdExists,
    /// What can go wrong everywhere.
    #[error(transparent)]
    Other(#[from] KeystoreError),
}

impl From<DbError> for SignalServerError {
    fn from(error: DbError) -> Self {
        Self::Other(error.into())
    }
}

impl From<ClientError> for SignalServerError {
    fn from(error: ClientError) -> Self {
        Self::Other(error.into())
    }
}

impl From<RateLimited> for SignalServerError {
    fn from(error: RateLimited) -> Self {
        Self::Other(error.into())
    }
}
