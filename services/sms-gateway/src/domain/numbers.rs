//! Patterns and prefixes of recipients' numbers, as the settings name them.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// A pattern of full international numbers: `+`, digits, `#` for any one digit, and at the end `*` for any more.
///
/// `+255#########` is Tanzania with nine digits, `+*` any number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NumberPattern(String);

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("a number pattern is '+', then digits or '#', and at most one '*', at the end")]
pub struct BadPattern;

impl NumberPattern {
    /// Makes the pattern that every full international number fits.
    pub fn any() -> Self {
        Self("+*".into())
    }

    /// Tells whether `number`, with its `+`, fits.
    pub fn fits(&self, number: &str) -> bool {
        let (fixed, open) = match self.0.strip_suffix('*') {
            Some(fixed) => (fixed, true),
            None => (self.0.as_str(), false),
        };
        if number.len() < fixed.len() || !open && number.len() > fixed.len() {
            return false;
        }
        let fits = |(wanted, found): (u8, u8)| wanted == found || wanted == b'#' && found.is_ascii_digit();
        fixed.bytes().zip(number.bytes()).all(fits)
    }
}

impl FromStr for NumberPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let digits = text.strip_suffix('*').unwrap_or(text).strip_prefix('+').ok_or(BadPattern)?;
        match digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'#') {
            true => Ok(Self(text.into())),
            false => Err(BadPattern),
        }
    }
}

impl TryFrom<String> for NumberPattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        text.parse()
    }
}

impl fmt::Display for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a number begins with: `+`, then digits or `#` for any one digit. A pattern that is open at its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NumberPrefix(NumberPattern);

/// A prefix that is none.
#[derive(Debug, thiserror::Error)]
#[error("a prefix of numbers is '+', then digits or '#'")]
pub struct BadPrefix;

impl NumberPrefix {
    /// Tells whether `number`, with its `+`, begins with it.
    pub fn fits(&self, number: &str) -> bool {
        self.0.fits(number)
    }

    /// Tells whether every number that begins with `other` begins with this one, too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.text().as_bytes(), other.text().as_bytes());
        let covers = |(ours, theirs): (&u8, &u8)| ours == theirs || *ours == b'#' && *theirs != b'+';
        ours.len() <= theirs.len() && ours.iter().zip(theirs).all(covers)
    }

    fn text(&self) -> &str {
        self.0.0.trim_end_matches('*')
    }
}

impl FromStr for NumberPrefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        match text.ends_with('*') {
            true => Err(BadPrefix),
            false => format!("{text}*").parse().map(Self).map_err(|_| BadPrefix),
        }
    }
}

impl TryFrom<String> for NumberPrefix {
    type Error = BadPrefix;

    fn try_from(text: String) -> Result<Self, BadPrefix> {
        text.parse()
    }
}

impl fmt::Display for NumberPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A number or short code of ours, or a pattern of them, as an SMSC writes them: with or without `+`, which does not
/// matter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OwnNumber(NumberPattern);

impl OwnNumber {
    /// Tells whether a message to `number` is for it.
    pub(crate) fn fits(&self, number: &str) -> bool {
        self.0.fits(&full(number))
    }
}

/// Takes a number for an international one.
fn full(number: &str) -> String {
    format!("+{}", number.trim().trim_start_matches('+'))
}

impl FromStr for OwnNumber {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        full(text).parse().map(Self)
    }
}

impl TryFrom<String> for OwnNumber {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_ours_fits_with_and_without_its_plus() {
        for (pattern, number, fits) in [
            ("15050", "15050", true),
            ("15050", "+15050", true),
            ("+255700000000", "255700000000", true),
            ("1505#", "15059", true),
            ("15050", "150500", false),
            ("15*", "150500", true),
        ] {
            assert_eq!(pattern.parse::<OwnNumber>().unwrap().fits(number), fits, "{pattern} {number}");
        }
        assert!("CLINIC".parse::<OwnNumber>().is_err());
    }

    #[test]
    fn a_pattern_fits_the_numbers_it_describes() {
        for (pattern, number, fits) in [
            ("+*", "+255123456789", true),
            ("+255#########", "+255123456789", true),
            ("+255#########", "+25512345678", false),
            ("+255#########", "+2551234567890", false),
            ("+255#########", "+254123456789", false),
            ("+255*", "+2551", true),
            ("+255*", "+25", false),
            ("+15550100", "+15550100", true),
            ("+15550100", "+15550101", false),
        ] {
            assert_eq!(pattern.parse::<NumberPattern>().unwrap().fits(number), fits, "{pattern} {number}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "255*", "+25*5", "+25a", "*", "+2 5"] {
            assert!(text.parse::<NumberPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_fits_what_begins_with_it() {
        let fits = |prefix: &str, number| prefix.parse::<NumberPrefix>().unwrap().fits(number);

        assert!(fits("+255", "+255123456789") && fits("+2557#5", "+255715000000") && fits("+", "+1"));
        assert!(!fits("+255", "+254123456789") && !fits("+255", "+25"));
        for text in ["", "255", "+255*", "*"] {
            assert!(text.parse::<NumberPrefix>().is_err(), "{text}");
        }
    }
}
