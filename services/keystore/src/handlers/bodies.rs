//! What goes over the wire.

use std::str::FromStr;

use common::models::{AccountId, Base64Bytes, DeviceId, KeyId, RegistrationId, SessionId, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::domain::keys::{PreKey, SignedPreKey, Upload, UploadMode};
use crate::store::rows::DeviceRow;

/// 100 Kyber keys take 225 kB.
pub(super) const MAX_BODY: usize = 512 * 1024;

/// Octets of a device's name at most.
const MAX_NAME: usize = 225;

/// Body of a registration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewDevice {
    /// Random; tells this installation from others that had the same device id.
    pub(crate) registration_id: RegistrationId,
    /// Shown to the account's own devices; 225 bytes at most.
    #[schema(value_type = Option<String>)]
    pub(crate) name: Option<DeviceName>,
    /// The identity of the account, 33 octets; the first device brings it, all others have the same.
    pub(crate) identity_key: Base64Bytes,
    /// Curve25519, signed by the identity.
    pub(crate) signed_pre_key: SignedPreKey,
    /// Curve25519 one-time keys, 100 at most.
    pub(crate) pre_keys: Vec<PreKey>,
    /// Kyber-1024, given out when the one-time keys have run out.
    pub(crate) pq_last_resort_pre_key: SignedPreKey,
    /// Kyber-1024 one-time keys, 100 at most.
    #[serde(default)]
    pub(crate) pq_pre_keys: Vec<SignedPreKey>,
    /// The device whose place this one takes: its keys and messages are gone, its tokens are refused.
    pub(crate) replace_device_id: Option<DeviceId>,
}

/// Body of a renaming.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewName {
    /// What the device is called from now on, 225 bytes at most; null for nothing.
    #[schema(value_type = Option<String>)]
    pub(crate) name: Option<DeviceName>,
}

/// The name of a device.
#[derive(Debug)]
pub(crate) struct DeviceName(pub(crate) String);

impl<'de> Deserialize<'de> for DeviceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.len() > MAX_NAME {
            return Err(serde::de::Error::custom(format!("a name has {MAX_NAME} bytes at most")));
        }
        Ok(Self(name))
    }
}

/// A device with the tokens that speak for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredDevice {
    /// The device.
    pub(crate) device_id: DeviceId,
    /// Its account.
    pub(crate) account_id: AccountId,
    /// The session, which belongs to the device from now on.
    pub(crate) session_id: SessionId,
    /// For `Authorization: Bearer`; names the device.
    pub(crate) access_token: String,
    /// Works once; the refresh tokens of before no longer do.
    pub(crate) refresh_token: String,
    /// Seconds until the access token expires.
    pub(crate) expires_in: u64,
}

/// A device of the caller's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    /// Its id, 1 to 127.
    pub(crate) device_id: DeviceId,
    /// Its registration id.
    pub(crate) registration_id: RegistrationId,
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    /// When it was registered.
    #[schema(value_type = i64)]
    pub(crate) created_at: UnixMillis,
    /// The day (its beginning, UTC) on which it was last seen: no finer, for the sake of its user. Missing when its session
    /// has ended, or when it cannot be told at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub(crate) last_seen_at: Option<UnixMillis>,
}

impl From<(DeviceRow, Option<UnixMillis>)> for Device {
    fn from((row, last_seen_at): (DeviceRow, Option<UnixMillis>)) -> Self {
        Self {
            device_id: row.device_id,
            registration_id: row.registration_id,
            name: row.name,
            created_at: row.created_at,
            last_seen_at,
        }
    }
}

/// Body of an upload; what is missing stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeyUpload {
    /// Whether one-time keys are added to those that wait, or take their place; a kind without any stays as it is.
    #[serde(default)]
    pub(crate) mode: UploadMode,
    /// Curve25519 one-time keys, 100 at most.
    #[serde(default)]
    pub(crate) pre_keys: Vec<PreKey>,
    /// Takes the place of the current one.
    pub(crate) signed_pre_key: Option<SignedPreKey>,
    /// Kyber-1024 one-time keys, 100 at most.
    #[serde(default)]
    pub(crate) pq_pre_keys: Vec<SignedPreKey>,
    /// Takes the place of the current one.
    pub(crate) pq_last_resort_pre_key: Option<SignedPreKey>,
}

impl From<KeyUpload> for Upload {
    fn from(body: KeyUpload) -> Self {
        Self {
            mode: body.mode,
            pre_keys: body.pre_keys,
            signed_pre_key: body.signed_pre_key,
            pq_pre_keys: body.pq_pre_keys,
            pq_last_resort: body.pq_last_resort_pre_key,
        }
    }
}

/// What became of an upload.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Uploaded {
    /// Curve25519 one-time keys that wait.
    pub(crate) count: i64,
    /// Kyber one-time keys that wait.
    pub(crate) pq_count: i64,
    /// Keys of this upload that had been given out before; they were dropped.
    pub(crate) already_used: Vec<KeyId>,
}

/// What a device has waiting.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyCounts {
    /// Curve25519 one-time keys.
    pub(crate) count: i64,
    /// Kyber one-time keys.
    pub(crate) pq_count: i64,
    /// How often the last-resort key was given since it was uploaded.
    pub(crate) last_resort_served: i64,
}

/// Which devices a bundle is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target(pub(crate) Option<DeviceId>);

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "*" => Ok(Self(None)),
            id => DeviceId::from_str(id).map(Some).map(Self).map_err(serde::de::Error::custom),
        }
    }
}
