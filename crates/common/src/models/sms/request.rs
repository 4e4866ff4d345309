//! The request to send an SMS, topic `send-sms` and `POST /v1/sms`.

use serde::ser::SerializeMap as _;

use super::scan::{Scalar, members};
use super::{ClientId, CorrelId, SmsState, parse_deadline};
use crate::models::UnixMillis;

/// What to do when an attempt's outcome stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsClass {
    /// At most once: never sent again. The default.
    #[default]
    Bulk,
    /// A one-time code: sent once more.
    Otp,
    /// A warning: sent once more.
    Alert,
}

impl SmsClass {
    /// Gives the word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Otp => "otp",
            Self::Alert => "alert",
        }
    }
}

impl std::str::FromStr for SmsClass {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "bulk" => Ok(Self::Bulk),
            "otp" => Ok(Self::Otp),
            "alert" => Ok(Self::Alert),
            _ => Err(Refusal::ClassUnknown),
        }
    }
}

/// A record for which no status can be published: there is no one to tell. It belongs to the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not UTF-8, not a JSON object, or an object or array where a string belongs.
    #[error("the record is not a request")]
    Unparsable,
    /// No `client-id`.
    #[error("client-id is missing")]
    ClientIdMissing,
    /// No `correl-id`.
    #[error("correl-id is missing")]
    CorrelIdMissing,
    /// An id that no table can hold: longer than 1024 bytes, or with a NUL.
    #[error("client-id or correl-id is too long or holds a NUL")]
    IdNotStorable,
}

/// Why a request will not be sent; `Display` is the status's `error-text`, and never holds payload content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client is not on the allowed list.
    #[error("client is unknown or not allowed")]
    ClientNotAllowed,
    /// No `payload`.
    #[error("payload is missing")]
    PayloadMissing,
    /// No `deadline`.
    #[error("deadline is missing")]
    DeadlineMissing,
    /// A `deadline` that is not an instant.
    #[error("deadline is not an instant such as 2100-01-01T00:00:00Z: {0}")]
    DeadlineInvalid(String),
    /// A `class` that is none of ours.
    #[error("class is none of bulk, otp, alert")]
    ClassUnknown,
    /// The deadline has passed; the status has no `error-text`.
    #[error("deadline has passed")]
    Expired,
}

impl Refusal {
    /// Gives the state to publish.
    pub fn state(&self) -> SmsState {
        match self {
            Self::Expired => SmsState::Expired,
            _ => SmsState::Invalid,
        }
    }

    /// Gives the `error-text` to publish; a request that expired on arrival has none.
    pub fn error_text(&self) -> Option<String> {
        (*self != Self::Expired).then(|| self.to_string())
    }
}

/// A request as it came: its ids are there, all else is as the producer wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsRequest {
    /// The tenant.
    pub client_id: ClientId,
    /// The tenant's id of the request.
    pub correl_id: CorrelId,
    /// When it is too late to send; not checked yet.
    pub deadline: Option<String>,
    /// Base64 of the encrypted message; not checked yet.
    pub payload: Option<String>,
    /// What to do about an unknown outcome (an addition of ours); not checked yet.
    pub class: Option<String>,
}

/// A request that may be sent, as far as can be told without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedSms {
    /// The tenant.
    pub client_id: ClientId,
    /// The tenant's id of the request.
    pub correl_id: CorrelId,
    /// When it is too late to send.
    pub deadline: UnixMillis,
    /// The same as the request spells it.
    pub deadline_text: String,
    /// Base64 of the encrypted message, not decoded yet.
    pub payload: String,
    /// What to do about an unknown outcome.
    pub class: SmsClass,
}

impl SmsRequest {
    /// The topic's default name.
    pub const TOPIC: &'static str = "send-sms";

    /// Reads a record's value.
    ///
    /// Names are case-sensitive and unknown ones ignored; numbers and booleans count as their text, `null` as absent;
    /// of a repeated name the last counts; text after the object is ignored; an empty string is present.
    ///
    /// # Errors
    /// [`RequestError`]: no status can be published.
    pub fn parse(value: &[u8]) -> Result<Self, RequestError> {
        Self::parse_of(value, None)
    }

    /// Does as [`SmsRequest::parse`] with a request whose tenant is known: it need not name it.
    ///
    /// # Errors
    /// As [`SmsRequest::parse`].
    pub fn parse_of(value: &[u8], owner: Option<&ClientId>) -> Result<Self, RequestError> {
        const NAMES: [&str; 5] = ["client-id", "correl-id", "deadline", "payload", "class"];
        let mut texts: [Option<String>; 5] = Default::default();
        let mut composite = false;
        members(
            value,
            |name| NAMES.contains(&name),
            |name, value| {
                let slot =
                    texts.iter_mut().zip(NAMES).find_map(|(slot, known)| (known == name).then_some(slot));
                if let Some(slot) = slot {
                    composite |= value == Scalar::Composite;
                    *slot = if let Scalar::Text(text) = value { Some(text) } else { None };
                }
            },
        )
        .map_err(|_| RequestError::Unparsable)?;
        if composite {
            return Err(RequestError::Unparsable);
        }

        let [client_id, correl_id, deadline, payload, class] = texts;
        let client_id = client_id.map(ClientId::from).or_else(|| owner.cloned());
        let client_id = client_id.ok_or(RequestError::ClientIdMissing)?;
        let correl_id = CorrelId::from(correl_id.ok_or(RequestError::CorrelIdMissing)?);
        if !client_id.is_storable() || !correl_id.is_storable() {
            return Err(RequestError::IdNotStorable);
        }
        Ok(Self { client_id, correl_id, deadline, payload, class })
    }

    /// Judges what can be judged without the vault: client, payload, deadline, class, and last whether it is too late.
    /// A deadline equal to `now` is in time.
    ///
    /// # Errors
    /// [`Refusal`]: publish its state and text.
    pub fn check(self, allowed: bool, now: UnixMillis) -> Result<AcceptedSms, Refusal> {
        let Self { client_id, correl_id, deadline, payload, class } = self;
        let payload = payload.ok_or(Refusal::PayloadMissing)?;
        let deadline_text = deadline.ok_or(Refusal::DeadlineMissing)?;
        let Ok(deadline) = parse_deadline(&deadline_text) else {
            return Err(Refusal::DeadlineInvalid(quoted(&deadline_text)));
        };
        let class = class.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        if !allowed {
            return Err(Refusal::ClientNotAllowed);
        }
        if deadline < now {
            return Err(Refusal::Expired);
        }
        Ok(AcceptedSms { client_id, correl_id, deadline, deadline_text, payload, class })
    }
}

/// What a status may quote of a request: its beginning, without what no table, or line of a log, can hold.
fn quoted(text: &str) -> String {
    let shown = |one: char| if one.is_control() { char::REPLACEMENT_CHARACTER } else { one };
    text.chars().take(64).map(shown).collect()
}

impl serde::Serialize for SmsRequest {
    /// Writes the fields that are there, in the order of the contract.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("client-id", &self.client_id)?;
        object.serialize_entry("correl-id", &self.correl_id)?;
        for (name, text) in [("deadline", &self.deadline), ("payload", &self.payload), ("class", &self.class)]
        {
            if let Some(text) = text {
                object.serialize_entry(name, text)?;
            }
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = UnixMillis(4_102_444_800_000);

    fn parse(text: &str) -> Result<SmsRequest, RequestError> {
        SmsRequest::parse(text.as_bytes())
    }

    fn request(deadline: Option<&str>, payload: Option<&str>) -> SmsRequest {
        SmsRequest {
            client_id: "test".into(),
            correl_id: "C1".into(),
            deadline: deadline.map(str::to_owned),
            payload: payload.map(str::to_owned),
            class: None,
        }
    }

    #[test]
    fn numbers_booleans_repeats_and_tails_are_tolerated() {
        let text = r#" {"correl-id":1.50,"client-id":"x","payload":true,"client-id":"test","deadline":4102444800,
            "extra":{"client-id":"no"},"Client-Id":"no"} tail"#;

        let read = parse(text).unwrap();

        assert_eq!((read.client_id.as_str(), read.correl_id.as_str()), ("test", "1.50"));
        assert_eq!((read.deadline.as_deref(), read.payload.as_deref()), (Some("4102444800"), Some("true")));
    }

    #[test]
    fn null_is_absent_and_empty_is_present() {
        let read =
            parse(r#"{"client-id":"","correl-id":"","payload":"x","payload":null,"deadline":""}"#).unwrap();

        assert_eq!((read.client_id.as_str(), read.correl_id.as_str()), ("", ""));
        assert_eq!((read.payload, read.deadline.as_deref()), (None, Some("")));
    }

    #[test]
    fn requests_without_ids_have_no_one_to_tell() {
        for (text, error) in [
            ("", RequestError::Unparsable),
            ("null", RequestError::Unparsable),
            ("[]", RequestError::Unparsable),
            ("\u{feff}{}", RequestError::Unparsable),
            (r#"{"client-id":"a","correl-id":"b""#, RequestError::Unparsable),
            (r#"{"client-id":{},"correl-id":"b"}"#, RequestError::Unparsable),
            (r#"{"client-id":"a","correl-id":"b","payload":[],"payload":"x"}"#, RequestError::Unparsable),
            (r#"{"client-id":"\ud800","correl-id":"b"}"#, RequestError::Unparsable),
            ("{}", RequestError::ClientIdMissing),
            (r#"{"client-id":null,"correl-id":"b"}"#, RequestError::ClientIdMissing),
            (r#"{"client-id":"a"}"#, RequestError::CorrelIdMissing),
            (r#"{"client-id":"a","correl-id":"\u0000"}"#, RequestError::IdNotStorable),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        let long = format!(r#"{{"client-id":"a","correl-id":"{}"}}"#, "x".repeat(1025));
        assert_eq!(parse(&long), Err(RequestError::IdNotStorable));
        assert_eq!(
            SmsRequest::parse(b"{\"client-id\":\"\xff\",\"correl-id\":\"b\"}"),
            Err(RequestError::Unparsable)
        );
    }

    #[test]
    fn a_deadline_equal_to_now_is_in_time() {
        let at = "2100-01-01T00:00:00Z";

        let accepted = request(Some(at), Some("x")).check(true, NOW).unwrap();
        let late = request(Some(at), Some("x")).check(true, UnixMillis(NOW.as_i64() + 1)).unwrap_err();

        assert_eq!((accepted.deadline, accepted.class), (NOW, SmsClass::Bulk));
        assert_eq!((late.state(), late.error_text()), (SmsState::Expired, None));
    }

    #[test]
    fn every_other_fault_is_invalid_even_when_late() {
        let late = Some("1970-01-01T00:00:00Z");
        let unknown_class = SmsRequest { class: Some("now".to_owned()), ..request(late, Some("x")) };
        for (request, allowed, expected) in [
            (request(late, Some("x")), false, Refusal::ClientNotAllowed),
            (request(late, None), true, Refusal::PayloadMissing),
            (request(None, Some("x")), true, Refusal::DeadlineMissing),
            (request(Some("soon"), Some("x")), false, Refusal::DeadlineInvalid("soon".to_owned())),
            (
                request(Some("s\0n\n"), Some("x")),
                true,
                Refusal::DeadlineInvalid("s\u{fffd}n\u{fffd}".to_owned()),
            ),
            (unknown_class, true, Refusal::ClassUnknown),
        ] {
            let refusal = request.check(allowed, NOW).unwrap_err();
            assert_eq!(refusal, expected);
            assert_eq!(refusal.state(), SmsState::Invalid);
            assert!(refusal.error_text().is_some_and(|text| !text.is_empty()));
        }
    }

    #[test]
    fn fields_are_written_in_the_order_of_the_contract() {
        let request = SmsRequest { class: Some("otp".to_owned()), ..request(Some("d"), Some("p")) };

        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"client-id":"test","correl-id":"C1","deadline":"d","payload":"p","class":"otp"}"#
        );
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>, text in "[{}\\[\\]\",:\\\\a-z0-9. -]{0,80}") {
            let _ = SmsRequest::parse(&octets);
            let _ = parse(&text);
            let _ = parse(&format!(r#"{{"client-id":{text},"correl-id":{text}}}"#));
        }

        #[test]
        fn what_is_written_is_read(
            ids in ("[^\0]{0,40}", "[^\0]{0,40}"),
            rest: (Option<String>, Option<String>, Option<String>),
        ) {
            let request = SmsRequest {
                client_id: ids.0.into(),
                correl_id: ids.1.into(),
                deadline: rest.0,
                payload: rest.1,
                class: rest.2,
            };

            prop_assert_eq!(parse(&serde_json::to_string(&request).unwrap()), Ok(request));
        }
    }
}
