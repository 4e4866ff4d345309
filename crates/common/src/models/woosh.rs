//! Bodies of mailbox's calls of auth for the interface of Woosh (`/internal/auth/v1/woosh/...`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::AccountId;
use crate::crypto::secret::{Secret, exposed};

/// Body of `POST .../credentials`: who is this?
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WooshCredentials {
    /// The name.
    pub username: String,
    /// The password.
    #[serde(serialize_with = "exposed")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = "password"))]
    pub token: Secret<String>,
    /// What stands for the client when its requests are counted.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub network: IpAddr,
}

/// Answer to [`WooshCredentials`] and [`WooshName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WooshFound {
    /// The account; none when there is no such, for whichever reason.
    pub account_id: Option<AccountId>,
    /// Seconds until credentials are looked at again, after too many wrong ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Body of `POST .../accounts`: who has this name?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WooshName {
    /// The name, in its letter case.
    pub username: String,
}

/// Body of `POST .../names`: what are these called?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WooshAccounts {
    /// The accounts, 100 at most.
    pub account_ids: Vec<AccountId>,
}

/// Answer to [`WooshAccounts`]; without those that do not exist any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WooshNames {
    /// In no order.
    pub names: Vec<NamedAccount>,
}

/// An account and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct NamedAccount {
    /// The account.
    pub account_id: AccountId,
    /// Its name.
    pub username: String,
}
