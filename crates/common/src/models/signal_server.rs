//! Bodies of keystore's and mailbox's calls of auth for the interface of signal_server
//! (`/internal/auth/v1/signal-server/...`).

use serde::{Deserialize, Serialize};

use super::AccountId;

/// Body of `POST .../accounts`: who has this name?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SignalServerName {
    /// The name, exactly.
    pub username: String,
}

/// Answer to [`SignalServerName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SignalServerFound {
    /// The user; none when nobody of that interface has the name.
    pub user: Option<SignalServerUser>,
}

/// A user of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SignalServerUser {
    /// The account.
    pub account_id: AccountId,
    /// The number that its clients know.
    pub user_id: i64,
}
