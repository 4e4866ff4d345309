//! A time as the documents of the gateway server give it, a bare number of seconds, or as our other settings do.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize as _, Deserializer};

/// Longer ones are a mistake, and would leave the range of our times.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// Reads `15`, `0.5`, `"15"` or `"15s"`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let time = deserializer.deserialize_any(Either)?;
    if time > MOST { Err(de::Error::custom("expected a day at most")) } else { Ok(time) }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds, or a time such as \"15s\"")
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| E::custom("expected no negative time"))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        match text.trim().parse::<f64>() {
            Ok(seconds) => self.visit_f64(seconds),
            Err(_) => {
                humantime_serde::Serde::<Duration>::deserialize(de::value::StrDeserializer::<E>::new(text))
                    .map(humantime_serde::Serde::into_inner)
            }
        }
    }
}
