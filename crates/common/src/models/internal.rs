//! Bodies of the calls between services (`/internal/...`, behind the internal credential).

use std::num::{NonZeroU16, NonZeroU64};

use serde::{Deserialize, Serialize};

use super::{AccountId, DeviceId, Generation, InviteId, RegistrationId, SessionId, UnixMillis};
use crate::crypto::secret::Secret;

/// Answer of `GET /internal/auth/v1/revocations`: everything that access tokens still alive must be checked against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Revocations {
    /// Sessions that ended.
    pub sessions: Vec<RevokedSession>,
    /// Accounts that were deleted.
    pub accounts: Vec<RevokedAccount>,
}

/// A session that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct RevokedSession {
    /// The session.
    pub session_id: SessionId,
    /// When its last access token expires by itself; the entry may be forgotten then.
    pub until: UnixMillis,
}

/// An account that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct RevokedAccount {
    /// The account.
    pub account_id: AccountId,
    /// When its last access token expires by itself; the entry may be forgotten then.
    pub until: UnixMillis,
}

/// Body of `POST /internal/auth/v1/sessions/{sid}/device`: the session belongs to this device from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct BindDevice {
    /// The session's account.
    pub account_id: AccountId,
    /// The new device.
    pub device_id: DeviceId,
}

/// Body of `POST /internal/auth/v1/invites`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct CreateInvite {
    /// How many accounts may be made with it.
    #[serde(default = "one_use")]
    #[cfg_attr(feature = "utoipa", schema(value_type = u16, minimum = 1))]
    pub count: NonZeroU16,
    /// Seconds until it expires; a year at most.
    #[cfg_attr(feature = "utoipa", schema(value_type = u64, minimum = 1))]
    pub expires_in: NonZeroU64,
}

fn one_use() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// Answer of `POST /internal/auth/v1/invites`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct CreatedInvite {
    /// Its id, to withdraw it by.
    pub invite_id: InviteId,
    /// The code to hand on, shown this once.
    pub code: String,
    /// When it can no longer be used.
    pub expires_at: UnixMillis,
}

/// Answer of `GET /internal/auth/v1/invites`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Invites {
    /// Those that can still be used.
    pub invites: Vec<Invite>,
}

/// An invite, without its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Invite {
    /// Its id.
    pub invite_id: InviteId,
    /// How many accounts can still be made with it.
    pub uses_left: i32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it can no longer be used.
    pub expires_at: UnixMillis,
}

/// A fresh pair of tokens; also the answer of the public session calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// The access token, a compact JWS.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub access_token: Secret<String>,
    /// The refresh token, good for one use.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub refresh_token: Secret<String>,
    /// Seconds until the access token expires.
    pub expires_in: u64,
}

impl Serialize for Tokens {
    /// Writes the secrets: this body is how they reach their owner.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        let mut object = serializer.serialize_struct("Tokens", 3)?;
        object.serialize_field("accessToken", self.access_token.expose())?;
        object.serialize_field("refreshToken", self.refresh_token.expose())?;
        object.serialize_field("expiresIn", &self.expires_in)?;
        object.end()
    }
}

/// Answer of `GET /internal/auth/v1/accounts/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct AccountInfo {
    /// The account, which exists.
    pub account_id: AccountId,
}

/// Answer of `GET /internal/auth/v1/accounts/{id}/devices`: those that have a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SeenDevices {
    /// In no order, each once.
    pub devices: Vec<SeenDevice>,
}

/// When a device last asked for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SeenDevice {
    /// The device.
    pub device_id: DeviceId,
    /// The beginning of the day, UTC.
    pub seen_at: UnixMillis,
}

/// Body of `PUT /internal/mailbox/v1/mailboxes/{account}/{device}`; the same generation again changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct OpenMailbox {
    /// The device's life that this mailbox serves.
    pub generation: Generation,
    /// The device's registration id, which senders must name.
    pub registration_id: RegistrationId,
}

/// Query of `DELETE /internal/mailbox/v1/mailboxes/{account}/{device}`; another generation's mailbox stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct CloseMailbox {
    /// The device's life that ended.
    pub generation: Generation,
}
