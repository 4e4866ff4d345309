//! Message ids that an SMSC writes one way in submit_sm_resp and another way in the receipt: padded with zeros, or in
//! hexadecimal here and in decimal there.
//!
//! For every accepted part a caller stores the id as it came and its [`response_key`]. For a receipt it looks among
//! the rows of that SMSC for the id as it came, then for each of [`receipt_keys`] among the stored keys, in order.

/// How an SMSC writes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdBase {
    /// Not known: numbers may differ by leading zeros and by base, the likelier reading first. A guess: one message's
    /// id in hexadecimal can be another's in decimal, so say which it is where that is known.
    Auto,
    /// The same text both times, but for leading zeros.
    #[default]
    AsIs,
    /// Hexadecimal in the response, decimal in the receipt.
    HexThenDecimal,
    /// Decimal in the response, hexadecimal in the receipt.
    DecimalThenHex,
}

impl IdBase {
    /// Gives the word used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::AsIs => "as-is",
            Self::HexThenDecimal => "hex-decimal",
            Self::DecimalThenHex => "decimal-hex",
        }
    }
}

/// A word that names no [`IdBase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, as-is, hex-decimal or decimal-hex")]
pub struct UnknownIdBase;

impl std::str::FromStr for IdBase {
    type Err = UnknownIdBase;

    fn from_str(word: &str) -> Result<Self, UnknownIdBase> {
        [Self::Auto, Self::AsIs, Self::HexThenDecimal, Self::DecimalThenHex]
            .into_iter()
            .find(|base| base.as_str() == word)
            .ok_or(UnknownIdBase)
    }
}

/// Gives the key to store for an id of a submit_sm_resp.
pub fn response_key(id: &str, base: IdBase) -> String {
    match base {
        IdBase::HexThenDecimal => hex_to_decimal(id).unwrap_or_else(|| canonical(id)),
        IdBase::Auto | IdBase::AsIs | IdBase::DecimalThenHex => canonical(id),
    }
}

/// Gives the keys under which the message of a receipt may be stored, the likeliest first. None is given twice.
pub fn receipt_keys(id: &str, base: IdBase) -> Vec<String> {
    let mut keys = match base {
        IdBase::AsIs | IdBase::HexThenDecimal => vec![canonical(id)],
        IdBase::DecimalThenHex => vec![hex_to_decimal(id).unwrap_or_else(|| canonical(id))],
        IdBase::Auto => {
            [Some(canonical(id)), decimal_to_hex(id), hex_to_decimal(id)].into_iter().flatten().collect()
        }
    };
    // As it is stored of messages from before ids that are no numbers were freed of their padding.
    if id.starts_with('0') && hex_digits(id).is_none() {
        keys.push(id.to_owned());
    }
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(key) && {
            seen.push(key.clone());
            true
        }
    });
    keys
}

/// Tells whether a receipt's id may be that of a response.
pub fn matches(response: &str, receipt: &str, base: IdBase) -> bool {
    response == receipt || receipt_keys(receipt, base).contains(&response_key(response, base))
}

/// Without leading zeros, which one side may have padded it with; of numbers also without `0x`, and hexadecimal digits
/// small. Any other text may mean something as it is.
fn canonical(id: &str) -> String {
    if is_uuid(id) {
        return id.to_ascii_lowercase();
    }
    let Some(digits) = hex_digits(id) else { return id.trim_start_matches('0').to_owned() };
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_ascii_lowercase(),
    }
}

/// Gives the digits of what can be a hexadecimal number, without `0x`.
fn hex_digits(id: &str) -> Option<&str> {
    let digits = id.strip_prefix("0x").or_else(|| id.strip_prefix("0X")).unwrap_or(id);
    let all = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    all.then_some(digits)
}

/// A UUID is one number in whatever case (RFC 9562 §4).
fn is_uuid(id: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let hex = |group: &str| group.bytes().all(|octet| octet.is_ascii_hexdigit());
    id.split('-').map(str::len).eq(lengths) && id.split('-').all(hex)
}

fn decimal_to_hex(id: &str) -> Option<String> {
    let digits_only = !id.is_empty() && id.bytes().all(|octet| octet.is_ascii_digit());
    let number: u128 = if digits_only { id.parse().ok()? } else { return None };
    Some(format!("{number:x}"))
}

fn hex_to_decimal(id: &str) -> Option<String> {
    u128::from_str_radix(hex_digits(id)?, 16).ok().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_match_across_padding_and_base() {
        let cases = [
            ("123", "123", IdBase::AsIs, true),
            ("0123", "123", IdBase::AsIs, true),
            ("123", "000123", IdBase::AsIs, true),
            ("0", "000", IdBase::AsIs, true),
            ("7B", "123", IdBase::AsIs, false),
            ("7B", "123", IdBase::HexThenDecimal, true),
            ("0000007b", "0000000123", IdBase::HexThenDecimal, true),
            ("123", "7B", IdBase::DecimalThenHex, true),
            ("7b", "123", IdBase::Auto, true),
            ("123", "07B", IdBase::Auto, true),
            ("7B", "7b", IdBase::Auto, true),
            ("123", "124", IdBase::Auto, false),
            ("smsc-01", "smsc-1", IdBase::Auto, false),
            ("G12", "00G12", IdBase::AsIs, true),
            ("0G12", "g12", IdBase::AsIs, false),
            ("SMSC-01", "smsc-01", IdBase::Auto, false),
            ("-1", "1", IdBase::Auto, false),
            ("+1", "1", IdBase::HexThenDecimal, false),
            ("0x7B", "7b", IdBase::AsIs, true),
            ("0x", "0", IdBase::Auto, false),
        ];

        for (response, receipt, base, expected) in cases {
            assert_eq!(matches(response, receipt, base), expected, "{response} {receipt} {base:?}");
        }
    }

    #[test]
    fn an_id_that_is_no_number_is_also_looked_for_with_its_padding() {
        assert_eq!(receipt_keys("00G12", IdBase::AsIs), ["G12", "00G12"]);
        assert_eq!(receipt_keys("G12", IdBase::AsIs), ["G12"]);
    }

    #[test]
    fn the_plain_reading_comes_first() {
        assert_eq!(receipt_keys("0123", IdBase::Auto), ["123", "7b", "291"]);
        assert_eq!(receipt_keys("5", IdBase::Auto), ["5"]);
        assert_eq!(receipt_keys("", IdBase::Auto), [""]);
    }

    #[test]
    fn words_of_the_settings_are_read() {
        assert_eq!("hex-decimal".parse(), Ok(IdBase::HexThenDecimal));
        assert_eq!("octal".parse::<IdBase>(), Err(UnknownIdBase));
    }

    proptest! {
        #[test]
        fn every_number_matches_itself_in_the_other_base(number: u128, width in 0usize..45) {
            let (decimal, hex) = (format!("{number:0width$}"), format!("{number:0width$X}"));

            prop_assert!(matches(&hex, &decimal, IdBase::HexThenDecimal));
            prop_assert!(matches(&decimal, &hex, IdBase::DecimalThenHex));
            prop_assert!(matches(&hex, &decimal, IdBase::Auto));
            prop_assert!(matches(&decimal, &hex, IdBase::Auto));
        }

        #[test]
        fn any_text_matches_itself(id: String) {
            for base in [IdBase::Auto, IdBase::AsIs, IdBase::HexThenDecimal, IdBase::DecimalThenHex] {
                prop_assert!(matches(&id, &id, base));
            }
        }
    }
}
