//! Instants in SMS records: strict for a request's deadline, lenient about the offset for a status's timestamp.

use ::time::{Date, Month};

use crate::models::UnixMillis;

/// Text that is not an instant with a full date, a time with seconds, and an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an instant such as 2100-01-01T00:00:00Z")]
pub struct InvalidDeadline;

/// Reads a deadline: RFC 3339 with `T`/`Z` in either case, 0 to 9 digits of fraction (cut to milliseconds), offset `Z`
/// or `+hh:mm`. Beyond RFC 3339, as the known gateway does, `T24:00:00` is the next day's start. A leap second (UTC
/// 23:59:60) is folded to second 59.
///
/// # Errors
/// [`InvalidDeadline`] for everything else: no zone, no seconds, `+0200`, a blank for `T`, an epoch number.
pub fn parse_deadline(text: &str) -> Result<UnixMillis, InvalidDeadline> {
    parse(text, false).ok_or(InvalidDeadline)
}

/// Reads a status's timestamp: like a deadline, but the offset may also be `+hhmm` or `+hh`.
///
/// # Errors
/// [`InvalidDeadline`] as above.
pub fn parse_timestamp(text: &str) -> Result<UnixMillis, InvalidDeadline> {
    parse(text, true).ok_or(InvalidDeadline)
}

fn parse(text: &str, any_offset: bool) -> Option<UnixMillis> {
    let mut cursor = Cursor(text.as_bytes());
    let year = cursor.digits(4)?;
    cursor.expect(b"-")?;
    let month = cursor.digits(2)?;
    cursor.expect(b"-")?;
    let day = cursor.digits(2)?;
    cursor.expect(b"Tt")?;
    let hour = cursor.digits(2)?;
    cursor.expect(b":")?;
    let minute = cursor.digits(2)?;
    cursor.expect(b":")?;
    let second = cursor.digits(2)?;
    let nanos = if cursor.expect(b".").is_some() { cursor.fraction()? } else { 0 };
    let offset = cursor.offset(any_offset)?;
    if !cursor.0.is_empty() || minute > 59 {
        return None;
    }

    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let days = i64::from(date.to_julian_day() - EPOCH_JULIAN_DAY);
    let seconds_at = |second: i64| days * 86_400 + hour * 3600 + (minute - offset) * 60 + second;
    let seconds = match (hour, second) {
        (24, 0) if minute == 0 && nanos == 0 => seconds_at(0),
        (0..=23, 0..=59) => seconds_at(second),
        (0..=23, 60) if seconds_at(60).rem_euclid(86_400) == 0 => seconds_at(59),
        _ => return None,
    };
    Some(UnixMillis(seconds * 1000 + nanos / 1_000_000))
}

const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// What has not been read yet.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn next_if(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        if !wanted(first) {
            return None;
        }
        self.0 = rest;
        Some(first)
    }

    fn expect(&mut self, any_of: &[u8]) -> Option<u8> {
        self.next_if(|octet| any_of.contains(&octet))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let mut number = 0;
        for _ in 0..count {
            number = number * 10 + i64::from(self.next_if(|octet| octet.is_ascii_digit())? - b'0');
        }
        Some(number)
    }

    /// Reads at most nine digits as nanoseconds; a tenth is left, and fails later.
    fn fraction(&mut self) -> Option<i64> {
        let mut nanos = 0;
        for place in (0..9).rev() {
            let Some(digit) = self.next_if(|octet| octet.is_ascii_digit()) else { break };
            nanos += i64::from(digit - b'0') * 10_i64.pow(place);
        }
        Some(nanos)
    }

    /// Reads the offset in minutes east of UTC.
    fn offset(&mut self, any: bool) -> Option<i64> {
        if self.expect(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.expect(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let colon = self.expect(b":").is_some();
        let minutes = match (colon, any) {
            (true, _) => self.digits(2)?,
            (false, true) if self.0.is_empty() => 0,
            (false, true) => self.digits(2)?,
            (false, false) => return None,
        };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted_texts() {
        for (text, millis) in [
            ("2100-01-01T00:00:00Z", 4_102_444_800_000),
            ("2100-01-01t00:00:00z", 4_102_444_800_000),
            ("2100-01-01T00:00:00.Z", 4_102_444_800_000),
            ("2100-01-01T00:00:00.1Z", 4_102_444_800_100),
            ("2100-01-01T00:00:00.123456789Z", 4_102_444_800_123),
            ("2100-01-01T00:00:00+02:00", 4_102_437_600_000),
            ("2099-12-31T18:30:00-05:30", 4_102_444_800_000),
            ("2099-12-31T24:00:00Z", 4_102_444_800_000),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("1990-12-31T15:59:60-08:00", 662_687_999_000),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] {
            assert_eq!(parse_deadline(text), Ok(UnixMillis(millis)), "{text}");
        }
    }

    #[test]
    fn refused_texts() {
        for text in [
            "",
            "2100-01-01",
            "2100-01-01T00:00:00",
            "2100-01-01T00:00Z",
            "2100-01-01T00:00:00+0200",
            "2100-01-01T00:00:00+02",
            "2100-01-01T00:00:00+24:00",
            "2100-01-01T00:00:00+02:60",
            "2100-01-01 00:00:00Z",
            "4102444800",
            "2100-01-01T00:00:00.1234567890Z",
            "2100-01-01T00:00:00,1Z",
            "2100-01-01T24:00:01Z",
            "2100-01-01T24:00:00.1Z",
            "2100-01-01T25:00:00Z",
            "2100-01-01T00:60:00Z",
            "2100-01-01T12:00:60Z",
            "2016-12-31T23:59:60+02:00",
            "2100-02-29T00:00:00Z",
            "2100-13-01T00:00:00Z",
            "2100-00-01T00:00:00Z",
            "2100-01-01T00:00:00Z ",
            " 2100-01-01T00:00:00Z",
            "+2100-01-01T00:00:00Z",
            "12100-01-01T00:00:00Z",
            "2100-01-01T00:00:0\u{0661}Z",
        ] {
            assert_eq!(parse_deadline(text), Err(InvalidDeadline), "{text}");
        }
    }

    #[test]
    fn timestamps_take_every_iso_offset() {
        let noon = parse_deadline("2024-02-10T12:00:00Z");

        for text in ["2024-02-10T14:00:00+02:00", "2024-02-10T14:00:00+0200", "2024-02-10T14:00:00+02"] {
            assert_eq!(parse_timestamp(text), noon, "{text}");
        }
        assert!(parse_timestamp("2024-02-10T14:00:00").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -62_167_219_200_i64..=253_402_300_799) {
            let at = UnixMillis(seconds * 1000);

            prop_assert_eq!(parse_deadline(&at.to_rfc3339_seconds()), Ok(at));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9TtZz:.+\\- ]{0,40}|.*") {
            let _ = (parse_deadline(&text), parse_timestamp(&text));
        }
    }
}
