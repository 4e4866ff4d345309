//! Prices: exact decimals, added up without rounding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits behind the point at most.
const DIGITS: usize = 6;
const UNIT: u64 = 1_000_000;

/// A sum of money, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price(u64);

/// Text that is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price is a decimal such as 0.0125, with at most 6 digits behind the point")]
pub struct BadPrice;

impl Price {
    /// Gives the price of `count` things; the largest there is where it would be larger.
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl std::iter::Sum for Price {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        Self(prices.fold(0, |sum, price| sum.saturating_add(price.0)))
    }
}

impl FromStr for Price {
    type Err = BadPrice;

    fn from_str(text: &str) -> Result<Self, BadPrice> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > DIGITS {
            return Err(BadPrice);
        }
        let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(UNIT)).ok_or(BadPrice)?;
        let fraction: u64 = format!("{fraction:0<DIGITS$}").parse().map_err(|_| BadPrice)?;
        whole.checked_add(fraction).map(Self).ok_or(BadPrice)
    }
}

impl TryFrom<String> for Price {
    type Error = BadPrice;

    fn try_from(text: String) -> Result<Self, BadPrice> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / UNIT, format!("{:0DIGITS$}", self.0 % UNIT));
        // Cents are shown, what is smaller only where there is any.
        let shown = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{whole}.{}", fraction.get(..shown).unwrap_or(&fraction))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_price_is_multiplied_and_added_without_rounding() {
        assert_eq!(price("0.0125").times(3).to_string(), "0.0375");
        assert_eq!(price("22").times(2).to_string(), "44.00");
        assert_eq!(price("0.1").times(3).to_string(), "0.30");
        assert_eq!(price("0.000001").times(3).to_string(), "0.000003");
        let sum: Price = [price("0.1"), price("0.2")].into_iter().sum();
        assert_eq!(sum, price("0.3"));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1,5", "1e3", "0.1234567", "99999999999999999999"] {
            assert_eq!(text.parse::<Price>(), Err(BadPrice), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_price_is_read_back_from_its_text(millionths: u64) {
            prop_assert_eq!(Price(millionths).to_string().parse(), Ok(Price(millionths)));
        }
    }
}
