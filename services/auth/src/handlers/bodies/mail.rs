//! Bodies of what mail is needed for.

use common::crypto::secret::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{EmailAddress, Password};

/// Body of a change of address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewEmail {
    /// The address, which becomes the account's once it is confirmed; `null` takes the one away that it has.
    #[schema(value_type = Option<String>, example = "alice@example.org")]
    pub(crate) email: Option<EmailAddress>,
    /// The password once more.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) password: Password,
}

/// Body of a confirmation of an address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MailToken {
    /// What the mail has.
    #[schema(value_type = String, format = "password")]
    pub(crate) token: Secret<String>,
}

/// Body of a request for a mail to reset a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestReset {
    /// A verified address of an account.
    #[schema(value_type = String, example = "alice@example.org")]
    pub(crate) email: EmailAddress,
}

/// Body of a new password by mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// What the mail has.
    #[schema(value_type = String, format = "password")]
    pub(crate) token: Secret<String>,
    /// The password from now on, 8 to 1024 bytes.
    #[schema(value_type = String, format = "password")]
    pub(crate) new_password: Password,
}
