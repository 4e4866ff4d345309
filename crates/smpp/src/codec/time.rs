//! Times (SMPP 3.4 §7.1.1) and civil dates, without a calendar library.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// A moment in UTC, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Civil {
    /// Takes a time apart (H. Hinnant, "chrono-compatible low-level date algorithms"); times before 1970 count as its
    /// first moment.
    pub(crate) fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let days = seconds / DAY + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// Seconds since 1970; `None` for a date before it, or that is none. The same source.
    fn seconds(self) -> Option<u64> {
        let Self { year, month, day, hour, minute, second } = self;
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days_of_month = match month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let lawful = (1..=12).contains(&month) && (1..=days_of_month).contains(&day);
        if !lawful || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let year = year - u64::from(month <= 2);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let year_of_era = year % 400;
        let day_of_year = (153 * shifted + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
        Some(days * DAY + hour * 3600 + minute * 60 + second)
    }
}

/// Writes an absolute time in UTC: `YYMMDDhhmmsstnn+`.
pub fn absolute_time(time: SystemTime) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(time);
    format!("{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000+", year % 100)
}

/// Gives the relative time `000000hhmmss000R` that ends with `left`, whole seconds and one at least, where that is sooner
/// than a relative `text` of under a day. `None` where nothing is to be changed, also of any other text.
pub(crate) fn shorter_time(text: &str, left: Duration) -> Option<String> {
    let clock = text.strip_prefix("000000")?.strip_suffix("000R")?;
    let pair = |at: usize| clock.get(at..at + 2)?.parse::<u64>().ok();
    let seconds = pair(0)? * 3600 + pair(2)? * 60 + pair(4)?;
    let left = left.as_secs().max(1);
    let (hours, minutes, rest) = (left / 3600, left / 60 % 60, left % 60);
    (clock.len() == 6 && left < seconds).then(|| format!("000000{hours:02}{minutes:02}{rest:02}000R"))
}

/// Reads an absolute time: `YYMMDDhhmmsstnnp` with its offset from UTC in quarters of an hour. SMSCs leave out the end:
/// what has no offset counts as UTC, what has no seconds as the minute's first. Years are 2000 to 2099. `None` for a
/// relative time (`R`) and for all else.
pub fn read_absolute_time(text: &str) -> Option<SystemTime> {
    if !text.is_ascii() {
        return None;
    }
    let (digits, sign) = match text.split_at_checked(15) {
        Some((digits, sign)) => (digits, sign),
        None => (text, "+"),
    };
    let pair = |at: usize| -> Option<u64> {
        let pair = digits.get(at..at + 2)?;
        if pair.bytes().all(|digit| digit.is_ascii_digit()) { pair.parse().ok() } else { None }
    };
    if !matches!(digits.len(), 10 | 12 | 13 | 15) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let civil = Civil {
        year: 2000 + pair(0)?,
        month: pair(2)?,
        day: pair(4)?,
        hour: pair(6)?,
        minute: pair(8)?,
        second: pair(10).unwrap_or_default(),
    };
    let local = civil.seconds()?;
    let offset = pair(13).unwrap_or_default() * 15 * 60;
    let seconds = match sign {
        // Ahead of UTC.
        "+" => local.checked_sub(offset)?,
        "-" => local + offset,
        _ => return None,
    };
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unix(text: &str) -> Option<u64> {
        read_absolute_time(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn absolute_times_are_read_whole_and_cut_short() {
        let cases = [
            ("261121103712000+", Some(1_795_257_432)),
            ("261121133712012+", Some(1_795_257_432)),
            ("261121033712028-", Some(1_795_257_432)),
            ("2611211037120", Some(1_795_257_432)),
            ("261121103712", Some(1_795_257_432)),
            ("2611211037", Some(1_795_257_420)),
            ("000229123500000+", Some(951_827_700)),
            ("010229123500000+", None),
            ("261321103712000+", None),
            ("261121243712000+", None),
            ("000007000000000R", None),
            ("26112110371200x+", None),
            ("26112110", None),
            ("", None),
            ("2611211037\u{E9}", None),
        ];

        for (text, seconds) in cases {
            assert_eq!(unix(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn a_relative_time_of_under_a_day_is_shortened_and_never_prolonged() {
        let second = Duration::from_secs(1);
        for (text, left, shorter) in [
            ("000000000010000R", Duration::from_millis(8_999), Some("000000000008000R")),
            ("000000230000000R", second * 3_661, Some("000000010101000R")),
            ("000000000010000R", Duration::ZERO, Some("000000000001000R")),
            ("000000000001000R", Duration::ZERO, None),
            ("000000000010000R", second * 10, None),
            ("000000000010000R", second * 11, None),
            ("000001000010000R", second, None),
            ("261121103712000+", second, None),
            ("00000010000R", second, None),
            ("000000\u{E9}1000000R", second, None),
            ("", second, None),
        ] {
            assert_eq!(shorter_time(text, left).as_deref(), shorter, "{text} {left:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 946_684_800u64..4_102_444_800) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);

            prop_assert_eq!(read_absolute_time(&absolute_time(time)), Some(time));
        }

        #[test]
        fn any_text_can_be_read(text: String) {
            let _ = read_absolute_time(&text);
            let _ = shorter_time(&format!("000000{text}000R"), Duration::ZERO);
        }
    }
}
