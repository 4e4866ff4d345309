//! The status of an SMS, topic `sms-status` and `GET /v1/sms/status`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ClientId, CorrelId, parse_timestamp};
use crate::models::UnixMillis;

/// How far an SMS has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Text)
)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum SmsState {
    /// Handed to the SMSC.
    Sent,
    /// The SMSC says that it was delivered.
    Delivered,
    /// The deadline passed, or the SMSC gave up in time.
    Expired,
    /// This request will not succeed as it is.
    Invalid,
    /// Probably not delivered; the gateway will not try again.
    Failed,
}

/// A word that is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an SMS state")]
pub struct UnknownState;

impl SmsState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Delivered, Self::Expired, Self::Invalid, Self::Failed];

    /// Gives the word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Expired => "EXPIRED",
            Self::Invalid => "INVALID",
            Self::Failed => "FAILED",
        }
    }
}

impl std::str::FromStr for SmsState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

impl fmt::Display for SmsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

sql_text!(SmsState);

/// A status record. Written in the order of the fields here; what is absent or empty is left out, never `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct SmsStatus {
    /// The tenant, from the request.
    pub client_id: ClientId,
    /// The tenant's id of the request.
    pub correl_id: CorrelId,
    /// When the status was produced: written in UTC and whole seconds, read with any ISO 8601 offset.
    #[serde(serialize_with = "write_timestamp", deserialize_with = "read_timestamp")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String, format = DateTime))]
    pub timestamp: UnixMillis,
    /// The state.
    pub sms_status: SmsState,
    /// The SMSC's id of the message, when known.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub recall_id: Option<String>,
    /// Text for people; never parse it.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub error_text: Option<String>,
    /// True when it comes from the simulator (an addition of ours), else left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// True when the recipient may get the message twice: it was sent anew after an outcome that is unknown (an
    /// addition of ours), else left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possible_duplicate: bool,
}

impl SmsStatus {
    /// The topic's default name.
    pub const TOPIC: &'static str = "sms-status";

    /// Gives the record's key: statuses of one request stay in order.
    pub fn key(&self) -> String {
        format!("{}:{}", self.client_id, self.correl_id)
    }
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

pub(super) fn write_timestamp<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_seconds())
}

pub(super) fn read_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse_timestamp(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> SmsStatus {
        SmsStatus {
            client_id: "test".into(),
            correl_id: "C1".into(),
            timestamp: UnixMillis(1_707_568_496_789),
            sms_status: SmsState::Sent,
            recall_id: None,
            error_text: None,
            simulated: false,
            possible_duplicate: false,
        }
    }

    #[test]
    fn fields_are_written_in_the_order_of_the_contract() {
        let bare = status();
        let full = SmsStatus {
            sms_status: SmsState::Failed,
            recall_id: Some("7f".to_owned()),
            error_text: Some("why".to_owned()),
            simulated: true,
            possible_duplicate: true,
            ..status()
        };

        assert_eq!(
            serde_json::to_string(&bare).unwrap(),
            r#"{"client-id":"test","correl-id":"C1","timestamp":"2024-02-10T12:34:56Z","sms-status":"SENT"}"#
        );
        assert_eq!(
            serde_json::to_string(&full).unwrap(),
            r#"{"client-id":"test","correl-id":"C1","timestamp":"2024-02-10T12:34:56Z","sms-status":"FAILED","recall-id":"7f","error-text":"why","simulated":true,"possible-duplicate":true}"#
        );
        assert_eq!(bare.key(), "test:C1");
    }

    #[test]
    fn what_is_empty_is_left_out_but_for_the_ids() {
        let empty = Some(String::new());
        let status =
            SmsStatus { client_id: "".into(), recall_id: empty.clone(), error_text: empty, ..status() };

        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            r#"{"client-id":"","correl-id":"C1","timestamp":"2024-02-10T12:34:56Z","sms-status":"SENT"}"#
        );
    }

    #[test]
    fn statuses_of_other_writers_are_read() {
        let text = r#"{"sms-status":"DELIVERED","timestamp":"2024-02-10T14:34:56+0200","client-id":"test",
            "correl-id":"C1","error-text":null,"extra":1}"#;

        let read: SmsStatus = serde_json::from_str(text).unwrap();

        assert_eq!(read.timestamp, UnixMillis(1_707_568_496_000));
        assert_eq!((read.sms_status, read.error_text), (SmsState::Delivered, None));
    }

    #[test]
    fn states_are_spelled_in_one_way() {
        for state in SmsState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
        assert_eq!("sent".parse::<SmsState>(), Err(UnknownState));
    }
}
