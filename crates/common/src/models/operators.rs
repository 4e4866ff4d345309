//! Bodies of what operators ask of accounts (`/internal/<service>/v1/operators/...`, behind the admin token).
//!
//! An address or a number in them is masked: an operator may search for one that they know, and is shown none.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::events::PreKeyKind;
use super::{AccountId, DeviceId, UnixMillis};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 256;

/// Why an account is blocked, in the words of an operator: 1 to 256 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(value_type = String, min_length = 1, max_length = 256))]
pub struct BlockReason(String);

/// Text that is no [`BlockReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason is 1 to 256 characters, none of them a control character")]
pub struct InvalidReason;

impl BlockReason {
    /// Borrows the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BlockReason {
    type Error = InvalidReason;

    fn try_from(text: String) -> Result<Self, InvalidReason> {
        let fits =
            (1..=LONGEST_REASON).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(InvalidReason) }
    }
}

impl std::str::FromStr for BlockReason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for BlockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Body of `POST /internal/auth/v1/operators/accounts/search`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SearchAccounts {
    /// An account id, a name, a verified e-mail address or a verified phone number. In the body, as addresses are in logs.
    pub query: String,
    /// Whether `query` is how a name begins, or an account id (8 characters at least). An empty one lists all.
    pub prefix: bool,
    /// Blocked accounts alone.
    pub blocked: bool,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Accounts of one page: 1 to 500, 50 if not given.
    #[cfg_attr(feature = "utoipa", schema(minimum = 1, maximum = 500))]
    pub limit: Option<u16>,
}

/// A page of accounts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct FoundAccounts {
    /// Those that were found.
    pub accounts: Vec<AccountSummary>,
    /// What the next page is asked for with; none: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which interface an account was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum AccountKind {
    /// Our own.
    Native,
    /// Woosh's.
    Woosh,
    /// That of signal_server.
    SignalServer,
}

impl AccountKind {
    /// Gives the word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Woosh => "woosh",
            Self::SignalServer => "signal-server",
        }
    }
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct AccountSummary {
    /// Its id.
    pub account_id: AccountId,
    /// Its name.
    pub username: String,
    /// Which interface it was made by.
    pub kind: AccountKind,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Since when it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_at: Option<UnixMillis>,
}

/// Answer of `GET /internal/auth/v1/operators/accounts/{account}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct AccountFacts {
    /// As in lists.
    #[serde(flatten)]
    pub summary: AccountSummary,
    /// Its address, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<MaskedContact>,
    /// Its number, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<MaskedContact>,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// Sessions that have not ended.
    pub sessions: usize,
    /// Devices with a session, with the day on which they were last seen.
    pub seen: Vec<super::internal::SeenDevice>,
    /// Why it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_reason: Option<BlockReason>,
}

/// An address or a number, not in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct MaskedContact {
    /// `a*****@example.org`, `+255*****78`.
    pub masked: String,
    /// Whether it identifies the account.
    pub verified: bool,
}

/// Body of `PUT /internal/auth/v1/operators/accounts/{account}/block`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct BlockAccount {
    /// Why. Other operators read it; nobody else does.
    pub reason: BlockReason,
}

/// What a block, or its end, has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct BlockChanged {
    /// Whether the account was not blocked (or unblocked) before.
    pub changed: bool,
    /// Sessions that it has ended.
    pub sessions_ended: usize,
}

/// Answer of `GET /internal/keystore/v1/operators/accounts/{account}/devices`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DeviceKeys {
    /// By id; one that is on its way in or out too.
    pub devices: Vec<DeviceFacts>,
}

/// A device, and how its keys do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct DeviceFacts {
    /// The interface that it was registered by.
    pub kind: AccountKind,
    /// Its id within the account.
    pub device_id: DeviceId,
    /// `opening`, `active` or `closing`.
    pub state: String,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// One-time prekeys that wait.
    pub pre_keys: Vec<PreKeysLeft>,
    /// When its signed prekey was last replaced; none where that is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<UnixMillis>,
    /// How often the last-resort key was given since it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_resort_served: Option<i64>,
}

/// How many one-time prekeys of a kind wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct PreKeysLeft {
    /// Which prekeys.
    pub kind: PreKeyKind,
    /// How many.
    pub left: i64,
}

/// Answer of `GET /internal/mailbox/v1/operators/accounts/{account}/queues`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Queues {
    /// One for each device, by id.
    pub queues: Vec<Queue>,
}

/// What waits for a device. Nothing of what it is, or of whom it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Queue {
    /// The interface that it is read by.
    pub kind: AccountKind,
    /// The device; none for the inbox of Woosh, which belongs to the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Envelopes.
    pub count: i64,
    /// Their size.
    pub bytes: i64,
    /// When the oldest came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<UnixMillis>,
}

/// Answer of `GET /internal/<service>/v1/operators/api-keys`: who has a key. The keys themselves are in the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ApiKeyHolders {
    /// By name.
    pub api_keys: Vec<ApiKeyHolder>,
}

/// Who has an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct ApiKeyHolder {
    /// What the settings call it: the name of a back-end, or the client that it sends for.
    pub name: String,
    /// What it may be used for.
    pub may: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_bounded_and_has_no_control_characters() {
        for text in ["x", &"ä".repeat(256)] {
            assert!(text.parse::<BlockReason>().is_ok());
        }
        for text in ["", &"ä".repeat(257), "a\nb", "a\0b"] {
            assert!(text.parse::<BlockReason>().is_err(), "{text:?}");
        }
    }
}
