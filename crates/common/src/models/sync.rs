//! Bodies of the calls about synchronized devices: relay's of sync (`/internal/sync/v1/...`), sync's of auth
//! (`/internal/auth/v1/sync/...`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{AccountId, E164};
use crate::crypto::secret::{Secret, exposed};

/// Body of `POST /internal/sync/v1/shared-keys`: which keys may an SMS from this number be encrypted with?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SharedKeysOf {
    /// Whom the SMS is from.
    pub phone: E164,
}

/// Answer to [`SharedKeysOf`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SharedKeys {
    /// The user with this number, as the one who keeps the accounts calls them.
    pub user_id: String,
    /// One key for each device that has synchronized, the newest first; none for a user without such a device.
    pub keys: Vec<SharedKey>,
}

/// What one synchronized device encrypts with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SharedKey {
    /// The session in which the device got it, to name it by.
    pub session_id: String,
    /// 32 hex characters; they themselves, as ASCII, are the AES-256 key.
    #[serde(serialize_with = "exposed")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = "password"))]
    pub key: Secret<String>,
}

/// Body of `POST /internal/auth/v1/sync/password`: is this the account's password?
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SyncPassword {
    /// The account.
    pub account_id: AccountId,
    /// The password.
    #[serde(serialize_with = "exposed")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = "password"))]
    pub password: Secret<String>,
    /// Whether the account's second factor, if it has one, was shown elsewhere; otherwise such an account is refused.
    pub second_factor_shown: bool,
    /// What stands for the client when its requests are counted.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub network: IpAddr,
}

/// Answer to [`SyncPassword`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SyncVerdict {
    /// Whether it is; of an account that does not exist nothing is.
    pub right: bool,
    /// Seconds until passwords are looked at again, after too many wrong ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Body of `POST /internal/auth/v1/sync/phone`: whose number is this?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SyncPhone {
    /// The number.
    pub phone: E164,
}

/// Answer to [`SyncPhone`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SyncUser {
    /// The account that has verified it; none when nobody has.
    pub account_id: Option<AccountId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key_and_no_number() {
        let of = SharedKeysOf { phone: "+255123456778".parse().unwrap() };
        let key = SharedKey { session_id: "s".to_owned(), key: "hunter2".into() };
        let keys = SharedKeys { user_id: "u".to_owned(), keys: vec![key] };

        let shown = format!("{of:?} {keys:?}");

        assert!(!shown.contains("hunter2") && !shown.contains("1234567"), "{shown}");
    }

    #[test]
    fn the_key_travels_in_its_body() {
        let key = SharedKey { session_id: "s".to_owned(), key: "hunter2".into() };

        assert_eq!(serde_json::to_string(&key).unwrap(), r#"{"sessionId":"s","key":"hunter2"}"#);
    }
}
