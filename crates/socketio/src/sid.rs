//! Ids of sessions and connections: nobody can guess one.

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::rand::{SecureRandom, SystemRandom};

const BYTES: usize = 18;
const CHARS: usize = 24;

/// An id of 144 random bits, as 24 characters of `A-Za-z0-9_-`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; CHARS]);

impl Sid {
    /// Makes a new one; `None` when the system has no randomness to give.
    pub(crate) fn random() -> Option<Self> {
        let mut random = [0; BYTES];
        SystemRandom::new().fill(&mut random).ok()?;
        let mut chars = [0; CHARS];
        BASE64_URL_SAFE_NO_PAD.encode_slice(random, &mut chars).ok()?;
        Some(Self(chars))
    }

    /// Reads one; `None` for what cannot be one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// Returns it as it is on the wire.
    pub fn as_str(&self) -> &str {
        // Only ASCII is put in, or what was a text already.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn first_byte(&self) -> u8 {
        let [first, ..] = self.0;
        first
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whoever knows the id of a session can take it over: only the beginning is shown.
impl fmt::Debug for Sid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sid({}…)", self.as_str().get(..4).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_read_back() {
        let (one, other) = (Sid::random().unwrap(), Sid::random().unwrap());

        assert_ne!(one, other);
        assert_eq!(Sid::read(one.as_str()), Some(one));
        assert_eq!(one.as_str().len(), 24);
        assert_eq!(Sid::read("short"), None);
        assert!(!format!("{one:?}").contains(one.as_str()));
    }
}
