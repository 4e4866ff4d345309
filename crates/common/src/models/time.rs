//! Time: UTC milliseconds and the one clock that application code asks.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::time::OffsetDateTime;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, a bare number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::BigInt)
)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(value_type = i64))]
pub struct UnixMillis(pub i64);

sql_number!(UnixMillis, i64, BigInt);

impl UnixMillis {
    /// Gives the number of milliseconds.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// Gives whole seconds since the epoch, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Gives the beginning of the day (UTC) in which the instant is.
    pub fn day(self) -> Self {
        const DAY: i64 = 24 * 3600 * 1000;
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    /// Writes the instant as `2024-02-10T12:34:56Z`: UTC, whole seconds (rounded down), RFC 3339 §5.6.
    ///
    /// Instants outside the years 0000..=9999, which RFC 3339 cannot write, become the nearest end of that range.
    pub fn to_rfc3339_seconds(self) -> String {
        let seconds = self.as_secs().clamp(-62_167_219_200, 253_402_300_799);
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, time) = (at.date(), at.time());
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<i64> for UnixMillis {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;

    /// Moves forward, and stops at the end of the range.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for UnixMillis {
    type Output = Self;

    /// Moves back, and stops at the start of the range.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl Sub for UnixMillis {
    type Output = Duration;

    /// Gives the time passed since `earlier`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells the application's time; tests pass one that they move by hand.
pub trait Clock: Send + Sync {
    /// Gives the present instant.
    fn now(&self) -> UnixMillis;
}

/// The clock that services share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_whole_seconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_707_568_496_999, "2024-02-10T12:34:56Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(UnixMillis(millis).to_rfc3339_seconds(), text);
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let second = Duration::from_secs(1);

        assert_eq!(UnixMillis(5) + second, UnixMillis(1005));
        assert_eq!(UnixMillis(i64::MAX) + second, UnixMillis(i64::MAX));
        assert_eq!(UnixMillis(1005) - UnixMillis(5), second);
        assert_eq!(UnixMillis(5) - UnixMillis(1005), Duration::ZERO);
        assert_eq!(UnixMillis(i64::MIN) - Duration::MAX, UnixMillis(i64::MIN));
    }
}
