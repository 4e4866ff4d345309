//! Bodies of the calls about synchronized devices (`/internal/sync/v1/...`, behind the internal credential).

use serde::{Deserialize, Serialize};

use super::E164;
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
