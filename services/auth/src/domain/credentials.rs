//! Names, addresses and passwords as types: whoever holds one knows that it keeps the rules.

use std::fmt;

use common::crypto::secret::Secret;
use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer, de};

/// Text that is no username or no password. Says the rule, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCredential {
    /// The rule of [`Username`].
    #[error("a username is 3 to 32 of the characters a-z, 0-9, dot, underscore and hyphen")]
    Username,
    /// The rule of [`EmailAddress`].
    #[error("not an e-mail address such as alice@example.org")]
    EmailAddress,
    /// The rule of [`Password`].
    #[error("a password is 8 to 1024 bytes of UTF-8")]
    Password,
    /// The rule of [`Password::given`].
    #[error("a password is 1 to 1024 bytes of UTF-8")]
    GivenPassword,
}

/// An account's name: 3 to 32 of `a-z 0-9 . _ -`. Upper case is folded, so that a name has one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Username(String);

impl Username {
    /// Borrows the folded name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Username {
    type Err = InvalidCredential;

    fn from_str(text: &str) -> Result<Self, InvalidCredential> {
        let folded = text.to_ascii_lowercase();
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        if (3..=32).contains(&folded.len()) && folded.bytes().all(allowed) {
            Ok(Self(folded))
        } else {
            Err(InvalidCredential::Username)
        }
    }
}

impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An e-mail address that can be written to, in ASCII and 254 characters at most (RFC 5321 §4.5.3.1.3 with its brackets).
/// Upper case is folded: what few servers tell apart in the part before the @, people do not.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EmailAddress(String);

impl EmailAddress {
    /// Borrows the folded address.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = InvalidCredential;

    fn from_str(text: &str) -> Result<Self, InvalidCredential> {
        let folded = text.to_ascii_lowercase();
        // A mailbox may have a person's name before the address, and some addresses are no mailbox: `a@[]`.
        let is_address = folded.parse::<lettre::Address>().is_ok() && folded.parse::<Mailbox>().is_ok();
        let valid = folded.is_ascii() && folded.len() <= 254 && is_address;
        if valid { Ok(Self(folded)) } else { Err(InvalidCredential::EmailAddress) }
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress([redacted])")
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A password as a person chose it: 8 to 1024 bytes, taken as it is. One that is only compared may be shorter, as it
/// may be of an account that was made by another interface.
#[derive(Debug, Clone)]
pub(crate) struct Password(Secret<String>);

impl Password {
    /// Gives the text, for hashing only.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Takes a password that was chosen elsewhere: 1 to 1024 bytes.
    pub(crate) fn given(text: Secret<String>) -> Result<Self, InvalidCredential> {
        if (1..=1024).contains(&text.expose().len()) {
            Ok(Self(text))
        } else {
            Err(InvalidCredential::GivenPassword)
        }
    }

    /// Reads a password that is shown once more.
    pub(crate) fn deserialize_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::given(Secret::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl TryFrom<Secret<String>> for Password {
    type Error = InvalidCredential;

    fn try_from(text: Secret<String>) -> Result<Self, InvalidCredential> {
        if (8..=1024).contains(&text.expose().len()) {
            Ok(Self(text))
        } else {
            Err(InvalidCredential::Password)
        }
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Secret::<String>::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_passes_as_an_address_fits_a_header_and_a_command(
            text in prop_oneof![any::<String>(), "[ -~]{0,20}@[ -~]{0,20}", "[a-z\\r\\n\\x00<>\"]{1,9}@[a-z.]{1,9}"],
        ) {
            if let Ok(address) = text.parse::<EmailAddress>() {
                let address = address.as_str();
                prop_assert!(address.len() <= 254 && address.bytes().all(|octet| octet.is_ascii_graphic()));
                prop_assert!(address.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()));
                prop_assert!(address.parse::<Mailbox>().is_ok());
            }
        }

        #[test]
        fn a_name_that_passes_passes_again_as_it_was_folded(text in prop_oneof![any::<String>(), "[A-Za-z0-9._-]{0,40}"]) {
            if let Ok(name) = text.parse::<Username>() {
                prop_assert_eq!(name.as_str().parse::<Username>(), Ok(name.clone()));
            }
        }
    }

    #[test]
    fn a_username_is_folded_and_keeps_to_its_characters() {
        assert_eq!("Alice.B-1_".parse::<Username>().unwrap().as_str(), "alice.b-1_");
        for text in ["", "ab", "with space", "ümlaut", "a@b", "a\0b", &"a".repeat(33)] {
            assert_eq!(text.parse::<Username>(), Err(InvalidCredential::Username), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_folded_and_can_be_written_to() {
        assert_eq!("Alice@Example.ORG".parse::<EmailAddress>().unwrap().as_str(), "alice@example.org");
        let long = format!("{}@example.org", "x".repeat(64));
        for text in [
            "",
            "a@[]",
            "alice",
            "@example.org",
            "alice@",
            "a b@example.org",
            "a@b@c",
            "ä@example.org",
            &*long.repeat(4),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(InvalidCredential::EmailAddress), "{text:?}");
        }
        let header = "alice@example.org\r\nBcc: mallory@example.org";
        assert!(header.parse::<EmailAddress>().is_err());
        assert_eq!(format!("{:?}", "a@b.org".parse::<EmailAddress>().unwrap()), "EmailAddress([redacted])");
    }

    #[test]
    fn a_password_is_measured_in_bytes_and_never_shown() {
        let of = |text: &str| Password::try_from(Secret::from(text));

        assert!(of("1234567").is_err() && of("12345678").is_ok() && of("ääää").is_ok());
        assert!(of(&"x".repeat(1024)).is_ok() && of(&"x".repeat(1025)).is_err());
        assert_eq!(format!("{:?}", of("12345678").unwrap()), "Password([redacted])");
        let given = |text: &str| Password::given(Secret::from(text));
        assert!(given("").is_err() && given("1").is_ok() && given(&"x".repeat(1025)).is_err());
    }
}
