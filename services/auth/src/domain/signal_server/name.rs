//! Names and addresses of signal_server.

use std::fmt;
use std::str::FromStr;

use crate::domain::EmailAddress;

/// Text that is no such name or address. Says the rule, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidContact {
    /// The rule of [`SignalServerName`].
    #[error(
        "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
    )]
    Name,
    /// The rule of [`ContactAddress`].
    #[error("Enter a valid email address.")]
    Address,
}

/// Most characters of a name.
pub(crate) const MAX_NAME: usize = 150;

/// Most characters of an address.
pub(crate) const MAX_ADDRESS: usize = 254;

/// A name, exactly as it was written: 1 to 150 letters and digits of any script, and `@ . + - _`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalServerName(String);

impl SignalServerName {
    /// Borrows the name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SignalServerName {
    type Err = InvalidContact;

    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        if (1..=MAX_NAME).contains(&text.chars().count()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidContact::Name)
        }
    }
}

/// An address that its user gave and nobody has confirmed. The part before the @ is kept as it was written, the domain
/// is folded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ContactAddress {
    written: String,
    folded: EmailAddress,
}

impl ContactAddress {
    /// Borrows it as its user sees it.
    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }

    /// Borrows what is written to, and what it is found by.
    pub(crate) fn folded(&self) -> &EmailAddress {
        &self.folded
    }
}

impl FromStr for ContactAddress {
    type Err = InvalidContact;

    fn from_str(text: &str) -> Result<Self, InvalidContact> {
        let folded: EmailAddress = text.parse().map_err(|_| InvalidContact::Address)?;
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidContact::Address)?;
        let domain = domain.to_ascii_lowercase();
        // Mail leaves for a host with a full name.
        if !domain.contains('.') && domain != "localhost" && !domain.starts_with('[') {
            return Err(InvalidContact::Address);
        }
        Ok(Self { written: format!("{local}@{domain}"), folded })
    }
}

impl fmt::Debug for ContactAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactAddress([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_letters_of_any_script_and_keeps_its_case() {
        for text in
            ["a", "Alice", "alice@test.com", "a.b+c-d_e", "jürgen", "Ольга", "李", "٣", &"ä".repeat(150)]
        {
            assert_eq!(text.parse::<SignalServerName>().unwrap().as_str(), text);
        }
        for text in ["", " ", "a b", "a/b", "a\0", "a\n", "a%41", "💬", "a'b", &"ä".repeat(151)] {
            assert_eq!(text.parse::<SignalServerName>(), Err(InvalidContact::Name), "{text:?}");
        }
    }

    #[test]
    fn an_address_keeps_its_local_part_and_is_found_folded() {
        let address: ContactAddress = "Alice@Example.ORG".parse().unwrap();

        assert_eq!((address.as_str(), address.folded().as_str()), ("Alice@example.org", "alice@example.org"));
        assert!("a@localhost".parse::<ContactAddress>().is_ok());
        for text in
            ["", "alice", "alice@", "@example.org", "a b@example.org", "a@b", "a@b@c.org", "ä@example.org"]
        {
            assert_eq!(text.parse::<ContactAddress>(), Err(InvalidContact::Address), "{text:?}");
        }
        assert_eq!(format!("{address:?}"), "ContactAddress([redacted])");
    }
}
