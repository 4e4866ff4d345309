//! HTTP statuses as settings name them.

use std::str::FromStr;

use serde::Deserialize;

/// HTTP statuses: `200`, `2xx`, `500-503`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Statuses {
    first: u16,
    last: u16,
}

/// What names no statuses.
#[derive(Debug, thiserror::Error)]
#[error("statuses are 200, 2xx or 200-299")]
pub struct BadStatuses;

impl Statuses {
    /// Names a range, which is one of HTTP.
    pub(super) fn between(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// Tells whether a status is one of them.
    pub(super) fn holds(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl FromStr for Statuses {
    type Err = BadStatuses;

    fn from_str(text: &str) -> Result<Self, BadStatuses> {
        let digits = |text: &str| text.len() == 3 && text.bytes().all(|octet| octet.is_ascii_digit());
        let number = |text: &str| text.parse().ok().filter(|_| digits(text));
        let range = match (text.strip_suffix("xx"), text.split_once('-')) {
            (Some(class), _) => number(&format!("{class}00")).zip(number(&format!("{class}99"))),
            (None, Some((first, last))) => number(first).zip(number(last)),
            (None, None) => number(text).zip(number(text)),
        };
        match range {
            Some((first, last)) if 100 <= first && first <= last && last <= 599 => Ok(Self { first, last }),
            _ => Err(BadStatuses),
        }
    }
}

impl TryFrom<String> for Statuses {
    type Error = BadStatuses;

    fn try_from(text: String) -> Result<Self, BadStatuses> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_a_class_or_a_range() {
        let parse = |text: &str| text.parse::<Statuses>().map(|range| (range.first, range.last)).ok();

        assert_eq!((parse("202"), parse("4xx")), (Some((202, 202)), Some((400, 499))));
        assert_eq!(parse("500-503"), Some((500, 503)));
        for bad in ["", "xx", "0xx", "6xx", "99", "600", "503-500", "2xx-4xx", "+200", "655xx", "65536"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
