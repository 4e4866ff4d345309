//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use clients::ClientError;
use common::models::KeyId;
use common::models::problem::{AsProblem, ProblemKind};
use db::DbError;
use serde_json::{Map, Value, json};
use web::RateLimited;

use super::keys::KeyFault;

/// A verb of this service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeystoreError {
    /// A key is not one, or its signature is not by the identity.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The account's devices share another identity.
    #[error("the account has another identity key")]
    IdentityMismatch,
    /// The ids are in use for other keys; nothing was stored.
    #[error("key ids are in use for other keys")]
    KeyConflict(Vec<KeyId>),
    /// More one-time keys than a device may have waiting.
    #[error("a device may have {0} one-time keys of a kind waiting")]
    TooManyKeys(usize),
    /// The account has all the devices that it may have.
    #[error("an account may have {0} devices")]
    TooManyDevices(usize),
    /// A session has one device in its life.
    #[error("the session has a device already")]
    SessionBound,
    /// While the device was being registered, it was removed or replaced.
    #[error("the device was removed or replaced meanwhile")]
    Superseded,
    /// The account or the session is gone.
    #[error("no such account")]
    NoAccount,
    /// The account has no such device, or it belongs to another session by now.
    #[error("no such device")]
    NoDevice,
    /// The account has no device to whom one could write.
    #[error("no device with keys")]
    NoKeys,
    /// The caller's device has other keys than the caller believes.
    #[error("the keys of the device are others")]
    KeysDiffer,
    /// More identities than a request may compare.
    #[error("a request may compare {0} identities")]
    TooManyIdentities(usize),
    /// Too many fetches, by this caller or of this target.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// The system failed us: no thread.
    #[error("internal failure: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another service could not be asked; the same request may succeed later.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AsProblem for KeystoreError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Key(fault) => ProblemKind::Unprocessable(fault.reason.slug()),
            Self::IdentityMismatch => ProblemKind::Conflict("identity-mismatch"),
            Self::KeyConflict(_) => ProblemKind::Conflict("key-conflict"),
            Self::TooManyKeys(_) => ProblemKind::Unprocessable("too-many-keys"),
            Self::TooManyDevices(_) => ProblemKind::Conflict("too-many-devices"),
            Self::SessionBound => ProblemKind::Conflict("session-bound"),
            Self::Superseded => ProblemKind::Conflict("device-superseded"),
            Self::NoAccount => ProblemKind::NotFound("account-not-found"),
            Self::NoDevice => ProblemKind::NotFound("device-not-found"),
            Self::NoKeys => ProblemKind::NotFound("keys-not-found"),
            Self::KeysDiffer => ProblemKind::Conflict("keys-differ"),
            Self::TooManyIdentities(_) => ProblemKind::Unprocessable("too-many-identities"),
            Self::RateLimited(error) => error.kind(),
            Self::Internal(_) => ProblemKind::Internal,
            Self::Client(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }

    fn extensions(&self) -> Map<String, Value> {
        let mut members = Map::new();
        match self {
            Self::Key(fault) => {
                members.insert("kind".to_owned(), json!(fault.kind.as_str()));
                if let Some(key_id) = fault.key_id {
                    members.insert("keyId".to_owned(), json!(key_id));
                }
            }
            Self::KeyConflict(ids) => {
                members.insert("conflictingKeyIds".to_owned(), json!(ids));
            }
            _ => {}
        }
        members
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(error) => error.retry_after(),
            Self::Client(error) => error.retry_after(),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}
