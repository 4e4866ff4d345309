//! Quotas: how many segments a client may send in a UTC day and month.
//!
//! What must hold: with no quota set nothing is asked and nothing is counted.

use std::collections::HashMap;

use common::models::UnixMillis;
use common::models::sms::ClientId;
use time::{Date, Duration, OffsetDateTime};

use crate::settings::QuotaSettings;

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// A UTC day.
    Day,
    /// A UTC month.
    Month,
}

impl Span {
    /// Gives the name that metrics have.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// One day or month; ordered by the name that tables hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period {
    /// `2026-11-28` or `2026-11`.
    pub(crate) name: String,
    /// When the next one begins.
    pub(crate) ends_at: UnixMillis,
}

/// The day and the month that a time is in.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    day: Period,
    month: Period,
}

impl Periods {
    /// Finds them.
    pub(crate) fn of(at: UnixMillis) -> Self {
        let date =
            OffsetDateTime::from_unix_timestamp(at.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
        let (year, month) = (date.year(), u8::from(date.month()));
        let first = date.replace_day(1).unwrap_or(date);
        // No month has 32 days, and none that follows one has fewer than 28.
        let next = first.saturating_add(Duration::days(31)).replace_day(1).unwrap_or(first);
        Self {
            day: Period {
                name: format!("{year:04}-{month:02}-{:02}", date.day()),
                ends_at: midnight(date.next_day().unwrap_or(date)),
            },
            month: Period { name: format!("{year:04}-{month:02}"), ends_at: midnight(next) },
        }
    }

    /// Gives one of them.
    pub(crate) fn get(&self, span: Span) -> &Period {
        match span {
            Span::Day => &self.day,
            Span::Month => &self.month,
        }
    }

    /// Gives both.
    pub(crate) fn both(self) -> [Period; 2] {
        [self.day, self.month]
    }
}

fn midnight(date: Date) -> UnixMillis {
    UnixMillis(date.midnight().assume_utc().unix_timestamp() * 1000)
}

/// The limits of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    day: Option<i64>,
    month: Option<i64>,
}

impl Limits {
    /// Gives what is limited, and to how many segments; the shorter period first.
    pub(crate) fn all(self) -> impl Iterator<Item = (Span, i64)> {
        let limits = [(Span::Day, self.day), (Span::Month, self.month)];
        limits.into_iter().filter_map(|(span, limit)| Some((span, limit?)))
    }
}

/// The limits of all clients, from the settings.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    common: Limits,
    of: HashMap<ClientId, Limits>,
}

impl Quotas {
    /// Takes them from the settings.
    pub(crate) fn new(settings: &QuotaSettings) -> Self {
        let limit = |segments: u32| (segments > 0).then_some(i64::from(segments));
        let limits = |day, month| Limits { day: limit(day), month: limit(month) };
        let of = settings.of.iter().map(|(client, own)| {
            let (day, month) = (own.day.unwrap_or(settings.day), own.month.unwrap_or(settings.month));
            (client.as_str().into(), limits(day, month))
        });
        Self { of: of.collect(), common: limits(settings.day, settings.month) }
    }

    /// Gives the limits of a client, if it has any.
    pub(crate) fn limits(&self, client: &ClientId) -> Option<Limits> {
        let limits = self.of.get(client).copied().unwrap_or(self.common);
        (limits != Limits::default()).then_some(limits)
    }

    /// Tells whether there are any.
    pub(crate) fn any(&self) -> bool {
        let has = |limits: &Limits| *limits != Limits::default();
        has(&self.common) || self.of.values().any(has)
    }
}

/// Tells whether most of a quota is used, of which operators are warned: four fifths.
pub(crate) fn is_nearly_used(used: i64, limit: i64) -> bool {
    used.saturating_mul(5) >= limit.saturating_mul(4)
}

/// Gives the `error-text` of a request that is beyond a quota.
pub(crate) fn used_up(limit: i64, until: UnixMillis) -> String {
    format!("the client's quota of {limit} segments until {} is used up", until.to_rfc3339_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ClientQuota;

    /// 2026-11-30T23:59:59.999Z.
    const LAST_OF_NOVEMBER: UnixMillis = UnixMillis(1_796_083_199_999);

    #[test]
    fn periods_are_days_and_months_of_utc() {
        for (at, day, day_end, month, month_end) in [
            (LAST_OF_NOVEMBER, "2026-11-30", "2026-12-01T00:00:00Z", "2026-11", "2026-12-01T00:00:00Z"),
            (
                UnixMillis(1_796_083_200_000),
                "2026-12-01",
                "2026-12-02T00:00:00Z",
                "2026-12",
                "2027-01-01T00:00:00Z",
            ),
            (
                UnixMillis(1_709_164_800_000),
                "2024-02-29",
                "2024-03-01T00:00:00Z",
                "2024-02",
                "2024-03-01T00:00:00Z",
            ),
            (
                UnixMillis(1_706_659_200_000),
                "2024-01-31",
                "2024-02-01T00:00:00Z",
                "2024-01",
                "2024-02-01T00:00:00Z",
            ),
        ] {
            let periods = Periods::of(at);

            let [is_day, is_month] = [Span::Day, Span::Month].map(|span| periods.get(span));
            assert_eq!((is_day.name.as_str(), is_day.ends_at.to_rfc3339_seconds().as_str()), (day, day_end));
            assert_eq!(
                (is_month.name.as_str(), is_month.ends_at.to_rfc3339_seconds().as_str()),
                (month, month_end)
            );
        }
    }

    #[test]
    fn a_client_may_have_limits_of_its_own_or_none() {
        let own = |day, month| ClientQuota { day, month };
        let of = [("acme", own(Some(10), None)), ("free", own(Some(0), Some(0)))];
        let of = of.map(|(client, quota)| (client.to_owned(), quota)).into();
        let quotas = Quotas::new(&QuotaSettings { day: 0, month: 500, of });

        assert_eq!(quotas.limits(&"acme".into()), Some(Limits { day: Some(10), month: Some(500) }));
        assert_eq!(quotas.limits(&"free".into()), None);
        assert_eq!(quotas.limits(&"other".into()), Some(Limits { day: None, month: Some(500) }));
        assert!(quotas.any() && !Quotas::default().any());
    }

    #[test]
    fn four_fifths_are_most_of_it() {
        assert!(!is_nearly_used(79, 100) && is_nearly_used(80, 100) && is_nearly_used(1, 1));
        assert!(!is_nearly_used(3, 4) && is_nearly_used(4, 5));
    }

    #[test]
    fn the_text_tells_when_there_is_more() {
        let text = used_up(10, Periods::of(LAST_OF_NOVEMBER).get(Span::Day).ends_at);

        assert_eq!(text, "the client's quota of 10 segments until 2026-12-01T00:00:00Z is used up");
    }
}
