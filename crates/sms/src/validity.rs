//! How long an SMSC shall try: SMPP's `validity_period`, 16 characters `YYMMDDhhmmsstnnp` (SMPP 3.4 §7.1.1).

use std::time::Duration;

use common::models::UnixMillis;
use time::OffsetDateTime;

/// The longest that a network keeps trying: 63 weeks (3GPP TS 23.040 §9.2.3.12.1). SMSCs allow less.
pub const LONGEST: Duration = Duration::from_secs(63 * 7 * 86_400);

const DAY: u64 = 86_400;
/// 2099-12-31T23:59:59Z: two digits of a year say no more.
const LAST: i64 = 4_102_444_799;

/// Gives the period that ends at `deadline`, or after `longest` if that is sooner; never later than either. `None` when
/// not a whole second is left, which no period can say. Who submits the message nevertheless says one second, and so
/// may be up to a second late: an empty period would stand for the SMSC's own default.
///
/// Under 24 hours it is relative (`000000hhmmss000R`), so that the SMSC's clock does not matter: hours, minutes and
/// seconds, never months or years, whose lengths SMSCs disagree about. From 24 hours on it is absolute, in UTC
/// (`YYMMDDhhmmss000+`), since a slow queue would prolong a relative one; clocks then have to agree about as well as
/// the deadline matters. Seconds are rounded down.
pub fn period(deadline: UnixMillis, now: UnixMillis, longest: Duration) -> Option<String> {
    let left = (deadline - now).min(longest.min(LONGEST));
    match left.as_secs() {
        0 => None,
        seconds if seconds < DAY => {
            Some(format!("000000{:02}{:02}{:02}000R", seconds / 3600, seconds / 60 % 60, seconds % 60))
        }
        _ => absolute((now + left).as_secs().min(LAST)),
    }
}

fn absolute(seconds: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let (date, time) = (at.date(), at.time());
    Some(format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}000+",
        date.year().rem_euclid(100),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Date, Month};

    use super::*;

    /// 2026-11-27T22:00:00.250Z.
    const NOW: UnixMillis = UnixMillis(1_795_816_800_250);

    fn after(left: Duration) -> Option<String> {
        period(NOW + left, NOW, LONGEST)
    }

    #[test]
    fn periods_are_written_as_the_specification_says() {
        let cases = [
            (Duration::from_secs(1), "000000000001000R"),
            (Duration::from_millis(59_999), "000000000059000R"),
            (Duration::from_secs(60), "000000000100000R"),
            (Duration::from_secs(3661), "000000010101000R"),
            (Duration::from_millis(DAY * 1000 - 1), "000000235959000R"),
            (Duration::from_secs(DAY), "261128220000000+"),
            // A quarter of a second is there already: 750 ms more make the next second.
            (Duration::from_millis(DAY * 1000 + 749), "261128220000000+"),
            (Duration::from_millis(DAY * 1000 + 750), "261128220001000+"),
            (Duration::from_secs(40 * DAY), "270106220000000+"),
            (LONGEST, "280211220000000+"),
            (LONGEST * 100, "280211220000000+"),
        ];

        for (left, text) in cases {
            assert_eq!(after(left).as_deref(), Some(text), "{left:?}");
        }
    }

    #[test]
    fn less_than_a_second_is_no_period() {
        assert_eq!(after(Duration::from_millis(999)), None);
        assert_eq!(after(Duration::ZERO), None);
        assert_eq!(period(NOW, NOW + Duration::from_secs(5), LONGEST), None, "the deadline has passed");
        assert_eq!(period(NOW + LONGEST, NOW, Duration::ZERO), None);
    }

    #[test]
    fn the_callers_maximum_caps_it() {
        let capped = |longest| period(UnixMillis(4_102_444_800_000), NOW, longest);

        assert_eq!(capped(Duration::from_secs(3 * 3600)).as_deref(), Some("000000030000000R"));
        assert_eq!(capped(Duration::from_secs(2 * DAY)).as_deref(), Some("261129220000000+"));
        assert_eq!(capped(Duration::MAX), after(LONGEST));
    }

    #[test]
    fn a_year_of_the_next_century_is_capped() {
        // 2099-06-01T00:00:00Z, 63 weeks before August 2100.
        let now = UnixMillis(4_083_955_200_000);

        assert_eq!(period(now + LONGEST, now, LONGEST).as_deref(), Some("991231235959000+"));
    }

    /// Reads a period as an SMSC does that gets it at `now`; gives the instant it ends.
    fn end(text: &str, now: UnixMillis) -> UnixMillis {
        assert_eq!(text.len(), 16, "{text}");
        let pair = |at: usize| text[at..at + 2].parse::<u8>().unwrap();
        let seconds = u64::from(pair(6)) * 3600 + u64::from(pair(8)) * 60 + u64::from(pair(10));
        match &text[12..] {
            "000R" => {
                assert_eq!(&text[..6], "000000", "no years, months or days: {text}");
                now + Duration::from_secs(seconds)
            }
            "000+" => {
                let month = Month::try_from(pair(2)).unwrap();
                let date = Date::from_calendar_date(2000 + i32::from(pair(0)), month, pair(4)).unwrap();
                UnixMillis(date.midnight().assume_utc().unix_timestamp() * 1000)
                    + Duration::from_secs(seconds)
            }
            other => panic!("{other}"),
        }
    }

    proptest! {
        #[test]
        fn no_period_ends_after_the_deadline_or_more_than_a_second_before_it(
            now in 946_684_800_000_i64..4_000_000_000_000,
            left in prop_oneof![0_u64..200_000_000, 0_u64..60_000_000_000],
            longest in 1_u64..60_000_000,
        ) {
            let (now, longest) = (UnixMillis(now), Duration::from_secs(longest));
            let deadline = now + Duration::from_millis(left);
            let wanted = (now + longest.min(LONGEST)).min(deadline);

            match period(deadline, now, longest) {
                Some(text) => {
                    let end = end(&text, now);
                    prop_assert!(end <= wanted && wanted - end < Duration::from_secs(1), "{text}");
                }
                None => prop_assert!(wanted - now < Duration::from_secs(1)),
            }
        }
    }
}
