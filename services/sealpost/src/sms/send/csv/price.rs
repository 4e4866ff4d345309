//! What a part costs, and what they cost together: decimals, not floating point, in whatever currency.

use std::fmt;
use std::str::FromStr;

/// Digits behind the point that are kept.
const DIGITS: usize = 6;

/// An amount in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Price(u64);

impl Price {
    /// Gives the price of so many.
    pub(super) fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a price such as 0.025 is expected, with six digits behind the point at most";
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        // So many digits that no count of messages overflows.
        if !digits(whole) || whole.len() > 6 || !digits(part) || part.len() > DIGITS {
            return Err(EXPECTED);
        }
        format!("{whole}{part:0<DIGITS$}").parse().map(Self).map_err(|_| EXPECTED)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let part = format!("{part:06}");
        // Cents are shown, what is smaller only where there is any.
        let kept = part.trim_end_matches('0').len().max(2);
        write!(f, "{whole}.{}", part.get(..kept).unwrap_or(&part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_add_up_exactly() {
        for (each, count, total) in [
            ("0.1", 3, "0.30"),
            ("0.0075", 1_000_000, "7500.00"),
            ("0.000001", 3, "0.000003"),
            ("12", 2, "24.00"),
            ("0.025", 3, "0.075"),
        ] {
            assert_eq!(each.parse::<Price>().unwrap().times(count).to_string(), total);
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1,5", "0.0000001", "1234567", "1e3", "nan"] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }
}
