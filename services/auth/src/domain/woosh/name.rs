//! Names of Woosh.

/// Text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 3 to 32 of the characters A-Z, a-z, 0-9, underscore and hyphen")]
pub(crate) struct InvalidName;

/// A name in its letter case: 3 to 32 of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WooshUsername(String);

impl WooshUsername {
    /// Borrows the name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for WooshUsername {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
        if (3..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_case_and_to_its_characters() {
        assert_eq!("Alice_B-1".parse::<WooshUsername>().unwrap().as_str(), "Alice_B-1");
        for text in ["", "ab", "bob\n", "a b", "bob!", "a.b", "ümlaut", "a\0b", &"a".repeat(33)] {
            assert_eq!(text.parse::<WooshUsername>(), Err(InvalidName), "{text:?}");
        }
        assert!("a".repeat(32).parse::<WooshUsername>().is_ok());
    }
}
