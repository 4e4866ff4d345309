//! Events on the bus: what `account-events` and `mailbox-events` carry.
//!
//! JSON objects, told apart by `type`; readers ignore fields they do not know. The record's header `schema` names the
//! form and its version.

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use super::{AccountId, DeviceId, Generation, SessionId, UnixMillis};

/// A value that could not be read as an event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The `type` is not known: a newer release wrote it. Skip the record.
    #[error("unknown event type")]
    UnknownType,
    /// Not an event at all.
    #[error("malformed event")]
    Malformed(#[source] serde_json::Error),
}

/// Which kind of one-time prekey a low-water event speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum PreKeyKind {
    /// Curve25519 one-time prekeys.
    Ec,
    /// Kyber-1024 one-time prekeys.
    Pq,
}

impl PreKeyKind {
    /// Gives the word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec => "ec",
            Self::Pq => "pq",
        }
    }
}

/// Something that happened to an account; topic `account-events`, keyed by the account id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct AccountEvent {
    /// The account.
    pub account_id: AccountId,
    /// When it happened.
    pub at: UnixMillis,
    /// What happened.
    #[serde(flatten)]
    pub change: AccountChange,
}

/// What happened to an account: the `type` of an [`AccountEvent`] and its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum AccountChange {
    /// The account is gone, with everything it owns.
    #[serde(rename = "account.deleted")]
    Deleted,
    /// A device is gone, in this one of its lives.
    #[serde(rename = "device.removed")]
    DeviceRemoved {
        /// The device.
        device_id: DeviceId,
        /// The life that ended; a later one on the same id is not meant.
        generation: Generation,
        /// The session that was to be bound to it; none in a record of before this field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
    },
    /// A session ended; its access tokens are void from now on.
    #[serde(rename = "session.revoked")]
    SessionRevoked {
        /// The session.
        session_id: SessionId,
    },
    /// A device is running out of one-time prekeys.
    #[serde(rename = "keys.low")]
    KeysLow {
        /// The device.
        device_id: DeviceId,
        /// Which prekeys.
        kind: PreKeyKind,
        /// How many are left.
        remaining: u32,
    },
    /// A device that was running out of one-time prekeys has enough again.
    #[serde(rename = "keys.stocked")]
    KeysStocked {
        /// The device.
        device_id: DeviceId,
        /// Which prekeys.
        kind: PreKeyKind,
    },
}

/// Something that happened to a mailbox; topic `mailbox-events`, keyed by the account id. Carries no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct MailboxEvent {
    /// The mailbox's account.
    pub account_id: AccountId,
    /// The mailbox's device.
    pub device_id: DeviceId,
    /// When it happened.
    pub at: UnixMillis,
    /// What happened.
    #[serde(flatten)]
    pub change: MailboxChange,
}

/// What happened to a mailbox: the `type` of a [`MailboxEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum MailboxChange {
    /// A mailbox without a socket went from empty to not empty, got its first urgent envelope, or lost its socket while
    /// it was not empty.
    #[serde(rename = "messages.available")]
    MessagesAvailable {
        /// Whether a sender wants the device woken; a record of before this field did.
        #[serde(default = "yes")]
        urgent: bool,
    },
    /// A send was refused, as the mailbox is at its limit.
    #[serde(rename = "mailbox.full")]
    Full,
}

fn yes() -> bool {
    true
}

/// Reads `value` as `T`, and tells an unknown `type` from junk.
fn decode<T: serde::de::DeserializeOwned>(value: &[u8], types: &[&str]) -> Result<T, EventError> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: String,
    }

    serde_json::from_slice(value).map_err(|error| match serde_json::from_slice::<Tag>(value) {
        Ok(tag) if !types.contains(&tag.r#type.as_str()) => EventError::UnknownType,
        Ok(_) => EventError::Malformed(error),
        Err(untagged) => EventError::Malformed(serde_json::Error::custom(untagged)),
    })
}

impl AccountEvent {
    /// The topic.
    pub const TOPIC: &'static str = "account-events";
    /// The record header `schema`.
    pub const SCHEMA: &'static str = "account-event.1";
    const TYPES: [&'static str; 5] =
        ["account.deleted", "device.removed", "session.revoked", "keys.low", "keys.stocked"];

    /// Reads a record's value.
    ///
    /// # Errors
    /// [`EventError::UnknownType`]: skip it. [`EventError::Malformed`]: a dead letter.
    pub fn decode(value: &[u8]) -> Result<Self, EventError> {
        decode(value, &Self::TYPES)
    }
}

impl MailboxEvent {
    /// The topic.
    pub const TOPIC: &'static str = "mailbox-events";
    /// The record header `schema`.
    pub const SCHEMA: &'static str = "mailbox-event.1";
    const TYPES: [&'static str; 2] = ["messages.available", "mailbox.full"];

    /// Reads a record's value.
    ///
    /// # Errors
    /// [`EventError::UnknownType`]: skip it. [`EventError::Malformed`]: a dead letter.
    pub fn decode(value: &[u8]) -> Result<Self, EventError> {
        decode(value, &Self::TYPES)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn event_is_one_flat_object() {
        let event = AccountEvent {
            account_id: "5e0c26b0-5e5a-4c0e-8f0a-0123456789ab".parse().unwrap(),
            at: UnixMillis(1),
            change: AccountChange::KeysLow {
                device_id: DeviceId::new(2).unwrap(),
                kind: PreKeyKind::Pq,
                remaining: 9,
            },
        };

        let value = serde_json::to_value(&event).unwrap();

        assert_eq!(
            value,
            json!({"type": "keys.low", "accountId": "5e0c26b0-5e5a-4c0e-8f0a-0123456789ab", "at": 1,
                "deviceId": 2, "kind": "pq", "remaining": 9})
        );
        assert_eq!(AccountEvent::decode(value.to_string().as_bytes()).unwrap(), event);
    }

    #[test]
    fn unknown_type_is_told_from_junk() {
        let newer =
            br#"{"type":"account.renamed","accountId":"5e0c26b0-5e5a-4c0e-8f0a-0123456789ab","at":1}"#;

        assert!(matches!(AccountEvent::decode(newer), Err(EventError::UnknownType)));
        for junk in [&b"{"[..], b"[]", b"{}", br#"{"type":"account.deleted"}"#] {
            assert!(matches!(AccountEvent::decode(junk), Err(EventError::Malformed(_))));
        }
    }
}
