//! Bodies of calls between services for the interface of signal_server: keystore and mailbox ask auth
//! (`/internal/auth/v1/signal-server/...`), keystore tells mailbox (`/internal/mailbox/v1/signal-server/...`).

use serde::{Deserialize, Serialize};

use super::{AccountId, Generation, SignalServerId};

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

/// Body of `PUT /internal/mailbox/v1/signal-server/{account}`: the device of an account. The same generation again
/// changes nothing; it is closed as a mailbox is ([`CloseMailbox`](super::internal::CloseMailbox)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct OpenSignalServerDevice {
    /// The device's life.
    pub generation: Generation,
    /// Its registration id, which senders must name.
    pub registration_id: SignalServerId,
    /// Its address, shown beside what it sends and gets.
    pub address: String,
}
