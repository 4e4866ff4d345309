//! Gateway clients: what they are called, what travels between them and relay, and the names that both have at RabbitMQ.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{E164, GatewayClientId, UnixMillis};

/// The topic exchange through which SMS reach modems.
pub const MODEM_EXCHANGE: &str = "DEKU_CLUSTER_SMS";

/// Gives the queue of a client's SMS for one operator.
#[must_use]
pub fn modem_queue(client: GatewayClientId, operator: &OperatorKey) -> String {
    format!("{client}_OUTGOING_SMS_{operator}")
}

/// Gives the routing key that leads there.
#[must_use]
pub fn modem_key(client: GatewayClientId, operator: &OperatorKey) -> String {
    format!("{client}_OUTGOING_SMS.{operator}")
}

/// Text that is none of the types here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct InvalidGatewayText(&'static str);

/// Makes a type of one text column out of a rule.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "diesel",
            derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
            diesel(sql_type = diesel::sql_types::Text)
        )]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(value_type = String))]
        pub struct $name(String);

        impl $name {
            /// Borrows the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidGatewayText;

            fn from_str(text: &str) -> Result<Self, InvalidGatewayText> {
                let read: fn(&str) -> Option<String> = $read;
                read(text).map(Self).ok_or(InvalidGatewayText($rule))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        sql_text!($name);
    };
}

text_type!(
    /// An operator as queues are named after it: `mtn`. Read in any case, kept in lower case; letters, digits and `-`
    /// alone, so that it can be no part of a pattern.
    OperatorKey,
    "the name of an operator: 1 to 32 letters, digits and -",
    |text| {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        fits.then(|| text.to_ascii_lowercase())
    }
);
text_type!(
    /// The number of a SIM (ITU-T E.212): 6 to 15 digits. Personal data: `Debug` hides it, and there is no `Display`.
    Imsi,
    "an IMSI: 6 to 15 digits",
    |text| {
        let fits = (6..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        fits.then(|| text.to_owned())
    }
);

impl OperatorKey {
    /// Gives the key of an operator by its name: the first word, in lower case (`MTN Cameroon`: `mtn`).
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).find(|word| !word.is_empty())?.parse().ok()
    }
}

impl fmt::Display for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey({})", self.0)
    }
}

impl fmt::Debug for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Imsi([redacted])")
    }
}

/// What a modem knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Text)
)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum SeedKind {
    /// Its own number.
    #[default]
    Seed,
    /// How to tell others theirs.
    Seeder,
}

impl SeedKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Seed, Self::Seeder];

    /// Gives the name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Seeder => "seeder",
        }
    }
}

impl FromStr for SeedKind {
    type Err = InvalidGatewayText;

    fn from_str(text: &str) -> Result<Self, InvalidGatewayText> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or(InvalidGatewayText("seed or seeder"))
    }
}

sql_text!(SeedKind);

/// A modem that is there: an element of `GET /seeds`, and the answer of `GET /internal/relay/v1/seeds` is a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Seed {
    /// Its SIM, or what stands for that.
    #[serde(rename = "IMSI")]
    pub imsi: String,
    /// Its number.
    #[serde(rename = "MSISDN")]
    pub msisdn: E164,
    /// What it knows.
    pub seed_type: SeedKind,
    /// The country of its number.
    pub country: String,
    /// The operator of its number; empty if that is not known.
    pub operator_name: String,
    /// MCC and MNC of the operator; likewise.
    pub operator_id: String,
    /// When it pinged last: seconds since 1970.
    #[serde(rename = "LPS")]
    pub last_ping: f64,
}

/// Body of `POST /v1/gateway-clients`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct NewGatewayClient {
    /// What operators call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its number, if it has one: country and operator follow from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<E164>,
    /// What its modem knows.
    pub kind: SeedKind,
    /// The operators whose SMS it sends, one queue each; none given: that of its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operators: Option<Vec<OperatorKey>>,
    /// How it forwards SMS, for the public list: `https`, `smtp`, `ftp`; none given: `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
}

/// A client's name and secret: the answer of `POST /v1/gateway-clients` and of `POST …/{id}/rotate`, and what the client
/// shows, by HTTP Basic and to RabbitMQ.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct GatewayCredentials {
    /// The client's id, `auth_id` in the older interfaces.
    pub client_id: GatewayClientId,
    /// The secret; shown once, kept by nobody but the client.
    pub secret: String,
    /// Until when the secret before this one is taken as well; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<UnixMillis>,
}

impl fmt::Debug for GatewayCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// An SMS to be sent, as a modem finds it in its queue.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemSms {
    /// What it says.
    pub text: String,
    /// Whom it is for, as whoever sends it has written it.
    pub number: String,
}

impl fmt::Debug for ModemSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModemSms").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_can_be_no_part_of_a_pattern() {
        for (text, key) in [("MTN", Some("mtn")), ("t-mobile", Some("t-mobile")), ("62401", Some("62401"))] {
            assert_eq!(text.parse::<OperatorKey>().ok().as_ref().map(OperatorKey::as_str), key);
        }
        for text in ["", "*", "#", "mtn.x", "mtn ", "é", &"m".repeat(33)] {
            assert!(text.parse::<OperatorKey>().is_err(), "{text}");
        }
        assert_eq!(OperatorKey::of_name("MTN Cameroon").unwrap().as_str(), "mtn");
        assert_eq!(OperatorKey::of_name(" (é) "), None);
    }

    #[test]
    fn names_at_the_broker_are_those_of_the_documentation() {
        let client: GatewayClientId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let operator: OperatorKey = "MTN".parse().unwrap();

        assert_eq!(modem_queue(client, &operator), format!("{client}_OUTGOING_SMS_mtn"));
        assert_eq!(modem_key(client, &operator), format!("{client}_OUTGOING_SMS.mtn"));
    }

    #[test]
    fn a_sim_is_6_to_15_digits_and_not_shown() {
        for text in ["", "12345", "1234567890123456", "../../x", "62401 1234", "\u{661}23456"] {
            assert!(text.parse::<Imsi>().is_err(), "{text}");
        }
        let imsi: Imsi = "624011234567890".parse().unwrap();

        assert!(!format!("{imsi:?}").contains("6240"));
    }

    #[test]
    fn neither_secrets_nor_texts_are_shown() {
        let credentials = GatewayCredentials {
            client_id: GatewayClientId::new(),
            secret: "hunter2".into(),
            previous_until: None,
        };
        let sms = ModemSms { text: "hunter2".into(), number: "+237677123456".into() };

        let shown = format!("{credentials:?}{sms:?}");

        assert!(!shown.contains("hunter2") && !shown.contains("237677"), "{shown}");
    }
}
