//! Bodies of phone verification.

use common::crypto::secret::Secret;
use common::models::{E164, UnixMillis, VerificationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::Password;
use crate::domain::phone;

/// Body that begins a verification.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BeginVerification {
    /// The number, E.164.
    #[schema(value_type = String, example = "+255712345678")]
    pub(crate) phone: E164,
}

/// Body of a check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CheckCode {
    /// The six digits of the newest SMS.
    #[schema(value_type = String, example = "123456")]
    pub(crate) code: Secret<String>,
}

/// A verification. Its id is a credential: whoever shows it, once it is verified, has the number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verification {
    /// Its id.
    pub(crate) verification_id: VerificationId,
    /// Whether the right code was shown.
    pub(crate) verified: bool,
    /// What became of the newest SMS: none, queued, sent, delivered, failed.
    #[schema(value_type = String)]
    pub(crate) delivery: &'static str,
    /// SMS that can still be sent.
    pub(crate) sends_left: i32,
    /// From when on.
    pub(crate) next_send_at: UnixMillis,
    /// Codes that can still be shown.
    pub(crate) checks_left: i32,
    /// From when on.
    pub(crate) next_check_at: UnixMillis,
    /// When it is forgotten.
    pub(crate) expires_at: UnixMillis,
}

impl From<phone::Verification> for Verification {
    fn from(verification: phone::Verification) -> Self {
        let phone::Verification { row, sends_left, checks_left } = verification;
        Self {
            verification_id: row.verification_id,
            verified: row.verified_at.is_some(),
            delivery: row.delivery.as_str(),
            sends_left,
            next_send_at: row.next_send_at,
            checks_left,
            next_check_at: row.next_check_at,
            expires_at: row.expires_at,
        }
    }
}

/// Body of a change of number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewPhone {
    /// A verification that is done; `null` takes the number away.
    pub(crate) phone_verification_id: Option<VerificationId>,
    /// The password once more.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) password: Password,
}
