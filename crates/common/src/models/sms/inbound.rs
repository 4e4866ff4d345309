//! A message from a handset, topic `sms-inbound` and `GET /v1/sms/inbound`.

use serde::{Deserialize, Serialize};

use super::status::{read_timestamp, write_timestamp};
use super::{ClientId, InboundId};
use crate::models::UnixMillis;

/// What a message was besides a message: a word that the gateway acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum InboundKeyword {
    /// The sender wants no more messages of this client.
    Stop,
    /// The sender takes that back.
    Start,
}

/// A word that is not a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected stop or start")]
pub struct UnknownKeyword;

impl InboundKeyword {
    /// Gives the word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }
}

impl std::str::FromStr for InboundKeyword {
    type Err = UnknownKeyword;

    fn from_str(word: &str) -> Result<Self, UnknownKeyword> {
        [Self::Stop, Self::Start].into_iter().find(|keyword| keyword.as_str() == word).ok_or(UnknownKeyword)
    }
}

/// A record of a message from a handset. Written in the order of the fields here; what is absent is left out, never
/// `null`. Who sent it and what it says is in the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SmsInbound {
    /// The tenant that the number belongs to.
    pub client_id: ClientId,
    /// Names the message: a repeated record has the same.
    pub inbound_id: InboundId,
    /// The number or short code that it was sent to, as the SMSC writes it.
    pub recipient: String,
    /// Who sent it, where the settings say that this is no secret; else left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When its last part came: written in UTC and whole seconds, read with any ISO 8601 offset.
    #[serde(serialize_with = "write_timestamp", deserialize_with = "read_timestamp")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub timestamp: UnixMillis,
    /// How many SMS it was made of; of a partial one, how many it should have been.
    pub parts: u8,
    /// True when parts are missing that have not come in time, else left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The word that the gateway acted on, else left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<InboundKeyword>,
    /// Base64 of the envelope.
    pub payload: String,
}

impl SmsInbound {
    /// The topic's default name.
    pub const TOPIC: &'static str = "sms-inbound";

    /// Gives the record's key: a client's messages stay in order.
    pub fn key(&self) -> &str {
        self.client_id.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound() -> SmsInbound {
        SmsInbound {
            client_id: "acme".into(),
            inbound_id: "I1".into(),
            recipient: "15050".into(),
            sender: None,
            timestamp: UnixMillis(1_707_568_496_789),
            parts: 1,
            partial: false,
            keyword: None,
            payload: "EN2A".into(),
        }
    }

    #[test]
    fn fields_are_written_in_the_order_of_the_contract() {
        let full = SmsInbound {
            sender: Some("+255123456789".into()),
            parts: 3,
            partial: true,
            keyword: Some(InboundKeyword::Stop),
            ..inbound()
        };

        assert_eq!(
            serde_json::to_string(&inbound()).unwrap(),
            r#"{"client-id":"acme","inbound-id":"I1","recipient":"15050","timestamp":"2024-02-10T12:34:56Z","parts":1,"payload":"EN2A"}"#
        );
        assert_eq!(
            serde_json::to_string(&full).unwrap(),
            r#"{"client-id":"acme","inbound-id":"I1","recipient":"15050","sender":"+255123456789","timestamp":"2024-02-10T12:34:56Z","parts":3,"partial":true,"keyword":"stop","payload":"EN2A"}"#
        );
    }

    #[test]
    fn the_examples_are_records_and_unknown_fields_are_ignored() {
        let examples = include_str!("../../../../../proto/bus/examples/sms-inbound.json");

        let read: Vec<SmsInbound> = serde_json::from_str(examples).unwrap();

        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(examples).unwrap());
        let later = r#"{"new":1,"client-id":"acme","inbound-id":"I","recipient":"1","timestamp":"2024-02-10T12:34:56Z","parts":1,"payload":""}"#;
        assert!(!serde_json::from_str::<SmsInbound>(later).unwrap().partial);
    }
}
