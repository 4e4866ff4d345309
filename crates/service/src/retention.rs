//! How long rows are kept, and how old ones are removed.
//!
//! In: a setting, and the columns that tell how old a row is. Out: batches of deletions. What must hold: no transaction
//! removes more rows than it is told to, and a row that was renewed meanwhile stays.

use std::fmt;
use std::time::Duration;

use common::models::UnixMillis;
use db::{DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// The word for [`Retention::FOREVER`].
const NEVER: &str = "never";

/// After how long something is removed: a time such as `90d`, or `never`, where a law or a contract wants it kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Retention(Option<Duration>);

impl Retention {
    /// Nothing is removed for its age.
    pub const FOREVER: Self = Self(None);

    /// What is older goes.
    #[must_use]
    pub const fn of(age: Duration) -> Self {
        Self(Some(age))
    }

    /// The age; none for ever.
    #[must_use]
    pub fn age(self) -> Option<Duration> {
        self.0
    }

    /// What is from before this goes at `now`; none: nothing does.
    #[must_use]
    pub fn before(self, now: UnixMillis) -> Option<UnixMillis> {
        self.0.map(|age| now - age)
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(age) => humantime::format_duration(age).fmt(f),
            None => f.write_str(NEVER),
        }
    }
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(age) => fmt::Debug::fmt(&age, f),
            None => f.write_str(NEVER),
        }
    }
}

impl Serialize for Retention {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == NEVER {
            return Ok(Self::FOREVER);
        }
        match humantime::parse_duration(&text) {
            Ok(age) if !age.is_zero() => Ok(Self::of(age)),
            _ => Err(de::Error::custom("expected a time above 0 such as 90d, or never")),
        }
    }
}

/// Rows of a table that go once a time in them has passed.
#[derive(Clone, Copy, Debug)]
pub struct Overdue {
    /// The table.
    pub table: &'static str,
    /// The columns of its primary key, with commas between them.
    pub key: &'static str,
    /// The column with the time, which has an index. Rows with none in it stay.
    pub at: &'static str,
}

impl Overdue {
    /// Removes up to `limit` rows whose time was at `before` or earlier, the oldest first; gives how many.
    ///
    /// # Errors
    /// [`DbError`] of the deletion.
    pub fn prune(self, conn: &mut DbConn, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
        let Self { table, key, at } = self;
        // Looked at twice: on PostgreSQL a row may be renewed between being found and being locked.
        let prune = diesel::sql_query(format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {at} <= $1 \
             ORDER BY {at} LIMIT $2) AND {at} <= $1"
        ));
        let prune = prune.bind::<BigInt, _>(before.as_i64()).bind::<BigInt, _>(limit);
        Ok(on_backend!(conn, |c| prune.execute(c))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_time_or_never() {
        let read = |text: &str| serde_json::from_value::<Retention>(text.into());
        let day = Duration::from_secs(24 * 3600);

        assert_eq!(read("90d").unwrap(), Retention::of(day * 90));
        assert_eq!(read("never").unwrap(), Retention::FOREVER);
        for text in ["", "0s", "forever", "-1d"] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in ["12h", "never"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_never_goes_has_no_day_before_which_it_went() {
        let now = UnixMillis(10_000);

        assert_eq!(Retention::of(Duration::from_secs(4)).before(now), Some(UnixMillis(6000)));
        assert_eq!(Retention::FOREVER.before(now), None);
    }
}
