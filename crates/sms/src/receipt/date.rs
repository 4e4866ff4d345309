//! Dates of receipts: `YYMMDDhhmm` (SMPP 3.4 Appendix B), and what else SMSCs send: with seconds, with a four-digit
//! year, in ISO 8601's order, in seconds or milliseconds since 1970.

use time::OffsetDateTime;

/// A date and time without a zone: the SMSC's clock, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptDate {
    /// Year, four digits.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60; 0 when not given.
    pub second: u8,
}

impl ReceiptDate {
    /// Reads digits, or a date with `-`, `/`, `:`, `T` or a blank between them whose year has four digits; what is
    /// behind the seconds (a fraction, a zone) does not count. `None` for anything else, and for numbers that are no
    /// date. Where digits could be two things, the specification's form and order win.
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            if text.bytes().all(|octet| octet.is_ascii_digit()) { text.to_owned() } else { iso(text)? };
        match digits.len() {
            10 => Self::of_digits(&digits, 2).or_else(|| Self::of_epoch(&digits, 1)),
            12 => Self::of_digits(&digits, 2).or_else(|| Self::of_digits(&digits, 4)),
            13 => Self::of_epoch(&digits, 1000),
            14 => Self::of_digits(&digits, 4),
            _ => None,
        }
    }

    fn of_digits(digits: &str, year_digits: usize) -> Option<Self> {
        let (year, rest) = digits.split_at_checked(year_digits)?;
        let year: u16 = year.parse().ok()?;
        let pair = |index: usize| rest.get(index * 2..index * 2 + 2)?.parse::<u8>().ok();
        let date = Self {
            year: if year_digits == 2 { 2000 + year } else { year },
            month: pair(0)?,
            day: pair(1)?,
            hour: pair(2)?,
            minute: pair(3)?,
            second: pair(4).unwrap_or(0),
        };
        date.is_possible().then_some(date)
    }

    /// Such a date is in UTC. Of this century, so that zeros and nines are none.
    fn of_epoch(digits: &str, per_second: i64) -> Option<Self> {
        let seconds = digits.parse::<i64>().ok()? / per_second;
        if !(1_000_000_000..4_102_444_800).contains(&seconds) {
            return None;
        }
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let (date, time) = (at.date(), at.time());
        Some(Self {
            year: u16::try_from(date.year()).ok()?,
            month: u8::from(date.month()),
            day: date.day(),
            hour: time.hour(),
            minute: time.minute(),
            second: time.second(),
        })
    }

    fn is_possible(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

/// Gives the digits of `YYYY-MM-DDThh:mm:ss` and the like, without seconds if there are none.
fn iso(text: &str) -> Option<String> {
    const PATTERN: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(octet, wanted): (u8, u8)| match wanted {
        b'd' => octet.is_ascii_digit(),
        b'-' => matches!(octet, b'-' | b'/' | b'.'),
        b'T' => matches!(octet, b'T' | b't' | b' ' | b'_'),
        _ => octet == wanted,
    };
    let length =
        if text.as_bytes().get(16) == Some(&b':') { PATTERN.len() } else { "YYYY-MM-DDThh:mm".len() };
    let start = text.get(..length)?;
    let right = start.bytes().zip(PATTERN.iter().copied()).all(fits);
    right.then(|| start.chars().filter(char::is_ascii_digit).collect())
}
