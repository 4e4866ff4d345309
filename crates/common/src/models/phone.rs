//! Phone numbers: personal data, so that nothing prints one in full by accident.

use std::borrow::Cow;
use std::fmt;

/// A full international number: `+` and 7 to 15 digits (ITU-T E.164). `Debug` is masked, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Text)
)]
#[cfg_attr(
    feature = "utoipa",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = r"^\+[0-9]{7,15}$")
)]
pub struct E164(String);

/// Text that is not a full international number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a full international number: + and 7 to 15 digits are expected")]
pub struct InvalidNumber;

impl E164 {
    /// Borrows the number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Borrows the digits without the `+`, as an SMSC wants them.
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// Gives a form for logs: `+255*****78`, always five stars, so that it does not tell the length.
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let head = digits.get(..3).unwrap_or_default();
        let tail = digits.get(digits.len().saturating_sub(2)..).unwrap_or_default();
        format!("+{head}*****{tail}")
    }
}

impl std::str::FromStr for E164 {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let digits = text.strip_prefix('+').ok_or(InvalidNumber)?;
        let valid = (7..=15).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidNumber) }
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", self.masked())
    }
}

impl serde::Serialize for E164 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for E164 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

sql_text!(E164);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_international_numbers_pass() {
        for text in ["+1234567", "+255123456789", "+123456789012345"] {
            assert_eq!(text.parse::<E164>().unwrap().as_str(), text);
        }
        for text in ["", "+", "255123456789", "+123456", "+1234567890123456", "+12345 67", "+1234567\u{0661}"]
        {
            assert_eq!(text.parse::<E164>(), Err(InvalidNumber), "{text}");
        }
    }

    #[test]
    fn debug_is_masked() {
        let number: E164 = "+255123456778".parse().unwrap();

        assert_eq!(number.masked(), "+255*****78");
        assert_eq!(format!("{number:?}"), "E164(+255*****78)");
    }
}
