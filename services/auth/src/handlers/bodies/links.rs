//! Bodies of linking another device.

use common::crypto::secret::Secret;
use common::models::{DeviceId, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::exposed;

/// A token for another device of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkToken {
    /// Opens one session; to be handed to the other device under encryption.
    #[schema(value_type = String, format = "password")]
    #[serde(serialize_with = "exposed")]
    pub(crate) token: Secret<String>,
    /// SHA-256 of the token's text in base64url, by which the link can be waited for.
    #[schema(example = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
    pub(crate) token_id: String,
    /// Seconds until the token opens nothing any more.
    pub(crate) expires_in: u64,
}

/// Body of an exchange of a token for a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UseLinkToken {
    /// What the linking device has handed over.
    #[schema(value_type = String, format = "password")]
    pub(crate) token: Secret<String>,
    /// 32 random bytes in base64url without padding, made by the new device. With the same ones the exchange may be
    /// repeated, if its answer was lost, until the session has a device.
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) retry_key: Option<Secret<String>>,
}

/// How long to wait for a link.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Seconds to wait for the device.
    #[serde(default = "some_seconds")]
    #[param(minimum = 0, maximum = 60, default = 30)]
    pub(crate) timeout: u64,
}

fn some_seconds() -> u64 {
    30
}

/// A device that was linked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkedDevice {
    /// Its number.
    pub(crate) device_id: DeviceId,
    /// Its session.
    pub(crate) session_id: SessionId,
}
