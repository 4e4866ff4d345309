//! Sender ids: what kind of address a text is, and the type of number and numbering plan that go with it (SMPP 3.4
//! §5.2.5, §5.2.6).

/// Most characters of an alphanumeric sender (3GPP TS 23.040 §9.1.2.5: 11 septets in 10 octets).
const ALPHANUMERIC: usize = 11;
/// Most digits of an international number (ITU-T E.164).
const INTERNATIONAL: usize = 15;
/// Numbers of at most so many digits are short codes.
const SHORT_CODE: usize = 6;

/// A sender as SMPP addresses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// What kind of sender it is.
    pub kind: SenderKind,
    /// The characters of the address: digits without `+`, or letters.
    pub value: String,
}

/// The kinds of sender ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderKind {
    /// `+` or `00` and a number, or a number longer than a short code.
    International,
    /// A number longer than a short code that begins with one 0.
    National,
    /// At most six digits.
    ShortCode,
    /// Anything else, of at most 11 characters.
    Alphanumeric,
}

impl SenderKind {
    /// Gives type of number and numbering plan.
    pub fn ton_npi(self) -> (u8, u8) {
        match self {
            Self::International => (1, 1),
            Self::National => (2, 1),
            Self::ShortCode => (3, 0),
            Self::Alphanumeric => (5, 0),
        }
    }
}

/// Why a text cannot be a sender id. The text itself is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// It has no character.
    #[error("the sender is empty")]
    Empty,
    /// It is over 11 characters, or a number over 15 digits.
    #[error("the sender is too long")]
    TooLong,
    /// It has a character that is not printable Latin-1.
    #[error("the sender has a character that SMPP cannot carry")]
    Character,
}

/// Tells what kind of sender `text` is.
///
/// # Errors
/// [`SenderError`], see its variants.
pub fn detect(text: &str) -> Result<Sender, SenderError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return number(digits, digits.len() < text.len());
    }
    match text.chars().count() {
        0 => return Err(SenderError::Empty),
        1..=ALPHANUMERIC => {}
        _ => return Err(SenderError::TooLong),
    }
    if !text.chars().all(|character| matches!(character, ' '..='~' | '\u{A1}'..='\u{FF}')) {
        return Err(SenderError::Character);
    }
    Ok(Sender { kind: SenderKind::Alphanumeric, value: text.to_owned() })
}

fn number(digits: &str, plus: bool) -> Result<Sender, SenderError> {
    let (kind, value) = if plus {
        (SenderKind::International, digits)
    } else if digits.len() <= SHORT_CODE {
        (SenderKind::ShortCode, digits)
    } else if let Some(rest) = digits.strip_prefix("00") {
        (SenderKind::International, rest)
    } else if digits.starts_with('0') {
        (SenderKind::National, digits)
    } else {
        (SenderKind::International, digits)
    };
    if value.len() > INTERNATIONAL {
        return Err(SenderError::TooLong);
    }
    Ok(Sender { kind, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_the_text() {
        use SenderKind::*;
        let cases = [
            ("+255700000001", International, "255700000001"),
            ("00255700000001", International, "255700000001"),
            ("255700000001", International, "255700000001"),
            ("+1234", International, "1234"),
            ("0700000001", National, "0700000001"),
            ("15001", ShortCode, "15001"),
            ("123456", ShortCode, "123456"),
            ("ACME", Alphanumeric, "ACME"),
            ("Min Health", Alphanumeric, "Min Health"),
            ("+", Alphanumeric, "+"),
            ("4U", Alphanumeric, "4U"),
        ];

        for (text, kind, value) in cases {
            assert_eq!(detect(text), Ok(Sender { kind, value: value.into() }), "{text}");
        }
    }

    #[test]
    fn impossible_senders_are_refused() {
        let cases = [
            ("", SenderError::Empty),
            ("TWELVE CHARS", SenderError::TooLong),
            ("+1234567890123456", SenderError::TooLong),
            ("Ω", SenderError::Character),
            ("a\nb", SenderError::Character),
        ];

        for (text, error) in cases {
            assert_eq!(detect(text), Err(error), "{text:?}");
        }
    }
}
