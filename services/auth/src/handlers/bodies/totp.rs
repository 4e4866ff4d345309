//! Bodies of the second factor.

use common::crypto::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::exposed;
use crate::domain::Password;
use crate::domain::totp::Enrolment;

/// Body of an enrolment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EnrolTotp {
    /// The password once more.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) password: Password,
}

/// A secret for the owner's authenticator, shown once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotpSecret {
    /// To be typed in, base32.
    #[schema(value_type = String, format = "password")]
    #[serde(serialize_with = "exposed")]
    pub(crate) secret: Secret<String>,
    /// The same as `otpauth:` URI, for a QR code.
    #[schema(value_type = String, format = "password")]
    #[serde(serialize_with = "exposed")]
    pub(crate) uri: Secret<String>,
}

impl From<Enrolment> for TotpSecret {
    fn from(enrolment: Enrolment) -> Self {
        Self { secret: enrolment.secret, uri: enrolment.uri }
    }
}

/// Body of a confirmation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfirmTotp {
    /// A code of the new secret, 6 digits.
    #[schema(value_type = String)]
    pub(crate) code: Secret<String>,
}

/// Recovery codes, shown once; each lets its owner in once, in place of a code.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryCodes {
    /// The codes.
    #[schema(value_type = Vec<String>)]
    #[serde(serialize_with = "all_exposed")]
    pub(crate) recovery_codes: Vec<Secret<String>>,
}

fn all_exposed<S: Serializer>(secrets: &[Secret<String>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(Secret::expose))
}

/// Body of what changes an active second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeTotp {
    /// The password once more.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) password: Password,
    /// A code, or a recovery code.
    #[schema(value_type = String)]
    pub(crate) code: Secret<String>,
}

/// Body of the second call of a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CompleteLogin {
    /// `challenge` of the first call's answer.
    #[schema(value_type = String, format = "password")]
    pub(crate) challenge: Secret<String>,
    /// A code, or a recovery code.
    #[schema(value_type = String)]
    pub(crate) code: Secret<String>,
}
