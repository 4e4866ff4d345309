//! Ids: UUIDs as newtypes, bare on the wire, made by one macro.
//!
//! In: the 36 characters of RFC 9562 §4 in any case. Out: the same in lower case, always. An id is kept as that text,
//! so that JSON and columns borrow it; its order is the order of the UUID's octets.

use std::fmt;

use uuid::Uuid;

const TEXT: usize = 36;

/// Text that is not a UUID in its hyphenated form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a UUID in its 36-character form is expected")]
pub struct InvalidId;

fn parse(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != TEXT {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}

fn render(uuid: Uuid) -> [u8; TEXT] {
    let mut text = [0; TEXT];
    uuid.hyphenated().encode_lower(&mut text);
    text
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $make:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "diesel",
            derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
            diesel(sql_type = diesel::sql_types::Text)
        )]
        #[cfg_attr(
            feature = "utoipa",
            derive(utoipa::ToSchema),
            schema(value_type = String, format = "uuid")
        )]
        pub struct $name([u8; TEXT]);

        impl $name {
            /// Makes a fresh id.
            #[expect(clippy::new_without_default, reason = "an id is never a default value")]
            pub fn new() -> Self {
                Self(render(Uuid::$make()))
            }

            /// Borrows the id as its 36 characters in lower case.
            pub fn as_str(&self) -> &str {
                // Rendered by `uuid`: always ASCII.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// Gives the id's 16 octets.
            pub fn to_bytes(self) -> [u8; 16] {
                Uuid::try_parse_ascii(&self.0).unwrap_or_default().into_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(render(uuid))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Ok(Self(render(parse(text)?)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        sql_text!($name);
    };
}

id_type!(
    /// An account: a random UUIDv4, which tells nothing about when it was made.
    AccountId,
    new_v4
);
id_type!(
    /// A login session, UUIDv7.
    SessionId,
    now_v7
);
id_type!(
    /// A stored envelope (its `guid`), UUIDv7: sorts by the time of storing.
    EnvelopeId,
    now_v7
);
id_type!(
    /// One life of a device: a device id that is used again has another generation, UUIDv7.
    Generation,
    now_v7
);
id_type!(
    /// An invite, UUIDv7. Names it to operators; it is not the code that lets somebody in.
    InviteId,
    now_v7
);
id_type!(
    /// A mail to be sent, UUIDv7.
    MailId,
    now_v7
);
id_type!(
    /// A notification, UUIDv7.
    NotificationId,
    now_v7
);
id_type!(
    /// One life of a notification channel, random: offsets of two lives have nothing to do with each other.
    Epoch,
    new_v4
);
id_type!(
    /// A token of a notification channel, UUIDv7. Names it to whoever manages tokens; it lets nobody in.
    ChannelTokenId,
    now_v7
);
id_type!(
    /// A gateway client (a modem, or what forwards SMS), UUIDv7. Its user name here and at the broker.
    GatewayClientId,
    now_v7
);
id_type!(
    /// A verification of a phone number: a random UUIDv4, since whoever shows it has the number.
    VerificationId,
    new_v4
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn id_is_bare_text_in_json() {
        let id: AccountId = "5E0C26B0-5E5A-4C0E-8F0A-0123456789AB".parse().unwrap();

        let json = serde_json::to_string(&id).unwrap();

        assert_eq!(json, "\"5e0c26b0-5e5a-4c0e-8f0a-0123456789ab\"");
        assert_eq!(serde_json::from_str::<AccountId>(&json).unwrap(), id);
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        for text in [
            "",
            "5e0c26b05e5a4c0e8f0a0123456789ab",
            "{5e0c26b0-5e5a-4c0e-8f0a-0123456789ab}",
            "urn:uuid:5e0c26b0-5e5a-4c0e-8f0a-0123456789ab",
            "5e0c26b0-5e5a-4c0e-8f0a-0123456789ag",
            "5e0c26b05-e5a-4c0e-8f0a-0123456789ab",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn envelope_ids_sort_by_age_and_account_ids_are_random() {
        let older = EnvelopeId::new();
        let newer = EnvelopeId::new();

        assert!(older < newer);
        assert_eq!(older.as_str().as_bytes()[14], b'7');
        assert_eq!(AccountId::new().as_str().as_bytes()[14], b'4');
    }

    proptest! {
        #[test]
        fn text_and_octets_tell_the_same(octets: [u8; 16], others: [u8; 16]) {
            let (one, other) = (AccountId::from(Uuid::from_bytes(octets)), AccountId::from(Uuid::from_bytes(others)));

            prop_assert_eq!(one.to_string().parse::<AccountId>(), Ok(one));
            prop_assert_eq!(one.to_bytes(), octets);
            prop_assert_eq!(one.cmp(&other), octets.cmp(&others));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text: String) {
            let _ = text.parse::<Generation>();
        }
    }
}
