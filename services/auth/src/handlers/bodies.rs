//! What goes over the wire.

mod links;
mod mail;
mod phone;
mod totp;

use common::crypto::secret::Secret;
use common::models::{AccountId, DeviceId, E164, SessionId, UnixMillis, VerificationId};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

pub(crate) use self::links::{LinkToken, LinkedDevice, UseLinkToken, WaitQuery};
pub(crate) use self::mail::{MailToken, NewEmail, RequestReset, ResetPassword};
pub(crate) use self::phone::{BeginVerification, CheckCode, NewPhone, Verification};
pub(crate) use self::totp::{ChangeTotp, CompleteLogin, ConfirmTotp, EnrolTotp, RecoveryCodes, TotpSecret};
use crate::domain::accounts::{self, Profile};
use crate::domain::sessions::Issued;
use crate::domain::{EmailAddress, Password, Username};
use crate::store::rows::SessionRow;

/// Body of a registration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// 3 to 32 of `a-z 0-9 . _ -`; upper case is folded.
    #[schema(value_type = String, example = "alice")]
    pub(crate) username: Username,
    /// 8 to 1024 bytes.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Password,
    /// Contact data; identifies nobody before it is verified.
    #[schema(value_type = Option<String>, example = "alice@example.org")]
    pub(crate) email: Option<EmailAddress>,
    /// Contact data, E.164.
    #[schema(value_type = Option<String>, example = "+255712345678")]
    pub(crate) phone: Option<E164>,
    /// Needed where registration is by invite.
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) invite_code: Option<Secret<String>>,
    /// A verification that is done; its number becomes the account's. Needed where registration is by SMS.
    pub(crate) phone_verification_id: Option<VerificationId>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    /// Its id, a UUIDv4: the service id of libsignal.
    pub(crate) account_id: AccountId,
    /// Its name, folded.
    pub(crate) username: String,
    /// The device of the session that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_id: Option<DeviceId>,
    /// Its e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Contact>,
    /// Its phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<Contact>,
    /// Whether logins need a second factor.
    pub(crate) totp: bool,
}

/// An e-mail address or a phone number of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contact {
    /// The address or number.
    pub(crate) value: String,
    /// Whether it was shown to be the owner's; only then it identifies the account.
    pub(crate) verified: bool,
}

impl From<accounts::Contact> for Contact {
    fn from(contact: accounts::Contact) -> Self {
        Self { value: contact.text, verified: contact.verified }
    }
}

impl Account {
    /// Describes an account to its owner.
    pub(crate) fn new(account_id: AccountId, device_id: Option<DeviceId>, profile: Profile) -> Self {
        Self {
            account_id,
            username: profile.username,
            device_id,
            email: profile.email.map(Contact::from),
            phone: profile.phone.map(Contact::from),
            totp: profile.totp,
        }
    }
}

/// An account as others may find it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundAccount {
    /// Its id.
    pub(crate) account_id: AccountId,
    /// Its name, folded.
    pub(crate) username: String,
}

/// Body of a change of password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The password until now.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) current_password: Password,
    /// The password from now on, 8 to 1024 bytes.
    #[schema(value_type = String, format = "password")]
    pub(crate) new_password: Password,
}

/// Body of a deletion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeleteAccount {
    /// The password once more.
    #[schema(value_type = String, format = "password")]
    #[serde(deserialize_with = "Password::deserialize_given")]
    pub(crate) password: Password,
}

/// Body of a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Login {
    /// The account's name. One that breaks the rules is as wrong as an unknown one.
    pub(crate) username: String,
    /// Its password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret<String>,
}

/// Body of a refresh.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Refresh {
    /// The newest refresh token of the session.
    #[schema(value_type = String, format = "password")]
    pub(crate) refresh_token: Secret<String>,
}

/// A session's tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The session.
    pub(crate) session_id: SessionId,
    /// For `Authorization: Bearer`.
    #[schema(value_type = String, format = "password")]
    #[serde(serialize_with = "exposed")]
    pub(crate) access_token: Secret<String>,
    /// Works once.
    #[schema(value_type = String, format = "password")]
    #[serde(serialize_with = "exposed")]
    pub(crate) refresh_token: Secret<String>,
    /// Seconds until the access token expires.
    pub(crate) expires_in: u64,
}

/// A session of the caller's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionInfo {
    /// The session.
    pub(crate) session_id: SessionId,
    /// The device that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_id: Option<DeviceId>,
    /// When it was opened.
    pub(crate) created_at: UnixMillis,
    /// When it ends unless it is refreshed.
    pub(crate) expires_at: UnixMillis,
    /// Whether it is the one that asks.
    pub(crate) current: bool,
}

/// The sessions of an account, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// All that have not ended.
    pub(crate) sessions: Vec<SessionInfo>,
}

impl SessionInfo {
    /// Describes a session to its owner, who asks from `current`.
    pub(crate) fn new(row: &SessionRow, current: SessionId) -> Self {
        Self {
            session_id: row.session_id,
            device_id: row.device_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            current: row.session_id == current,
        }
    }
}

/// The one place where tokens leave: the answer to their owner.
fn exposed<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl From<Issued> for Session {
    fn from(issued: Issued) -> Self {
        Self {
            account_id: issued.account,
            session_id: issued.session,
            access_token: issued.access_token,
            refresh_token: issued.refresh_token,
            expires_in: issued.expires_in,
        }
    }
}
