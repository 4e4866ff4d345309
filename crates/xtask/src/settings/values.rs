//! Defaults as a settings file would have them.

use std::time::Duration;

use serde_json::{Map, Value};

use super::model::{Choice, Kind, Setting};
use super::shown::Shown;

/// Turns what `Debug` shows into what is written; none for what is not there, and for secrets.
///
/// # Errors
/// What does not fit its kind.
pub(super) fn value(kind: &Kind, shown: &Shown) -> Result<Option<Value>, String> {
    let unfit = || Err(format!("{shown:?} is not what {kind:?} would be"));
    Ok(match (kind, shown) {
        (_, Shown::Word(word)) if word == "None" => None,
        (Kind::Secret(_) | Kind::Private(_), _) => None,
        (Kind::Words(words), Shown::Word(variant)) => Some(spelled(words, variant)?),
        (Kind::Words(words), Shown::Wrapped(variant, _)) if variant != "Some" => {
            Some(spelled(words, variant)?)
        }
        // A newtype shows as what it wraps, but for its name.
        (_, Shown::Wrapped(_, inner)) => value(kind, inner)?,
        (Kind::Flag, Shown::Word(word)) => Some(Value::from(word == "true")),
        (Kind::Integer(..), Shown::Word(word)) => match word.parse::<u64>() {
            Ok(number) => Some(Value::from(number)),
            Err(_) => return unfit(),
        },
        (Kind::Number, Shown::Word(word)) => match word.parse::<f64>() {
            Ok(number) => Some(Value::from(number)),
            Err(_) => return unfit(),
        },
        (Kind::Term, Shown::Word(word)) if word == "never" => Some(Value::from(word.as_str())),
        (Kind::Time | Kind::Term, Shown::Word(word)) => Some(Value::from(time(word)?)),
        (Kind::Text | Kind::Form(_), Shown::Text(text) | Shown::Word(text)) => {
            Some(Value::from(text.as_str()))
        }
        (Kind::List(of), Shown::List(items)) => {
            let items: Result<Vec<_>, String> = items.iter().map(|item| value(of, item)).collect();
            Some(Value::Array(items?.into_iter().flatten().collect()))
        }
        (Kind::Named(of), Shown::Map(pairs)) => {
            let mut map = Map::new();
            for (key, shown) in pairs {
                let Shown::Text(key) = key else { return unfit() };
                map.extend(value(of, shown)?.map(|value| (key.clone(), value)));
            }
            Some(Value::Object(map))
        }
        (Kind::Named(_), Shown::List(items)) if items.is_empty() => Some(Value::Object(Map::new())),
        (Kind::Table(settings), Shown::Struct(_)) => Some(table(settings, shown)?),
        _ => return unfit(),
    })
}

/// An element of a list or a map, which has its own values and not the defaults of its type.
fn table(settings: &[Setting], shown: &Shown) -> Result<Value, String> {
    let mut map = Map::new();
    for setting in settings {
        if let Some(shown) = shown.field(&setting.name) {
            map.extend(value(&setting.kind, shown)?.map(|value| (setting.name.clone(), value)));
        }
    }
    Ok(Value::Object(map))
}

fn spelled(words: &[Choice], variant: &str) -> Result<Value, String> {
    let word = words.iter().find(|word| word.variant == variant);
    word.map(|word| Value::from(word.written.as_str()))
        .ok_or_else(|| format!("{variant} is none of {words:?}"))
}

/// Writes a time in its largest whole unit, as every program reads it: `90d`, `15m`, `1500ms`.
fn time(shown: &str) -> Result<String, String> {
    let wrong = || format!("{shown} is no time");
    let digits = shown.trim_end_matches(char::is_alphabetic);
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match &shown[digits.len()..] {
        "s" => number,
        "ms" => number / 1e3,
        "µs" => number / 1e6,
        "ns" => number / 1e9,
        _ => return Err(wrong()),
    };
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let micros = time.as_micros();
    let units =
        [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000)];
    let unit = units.iter().find(|(_, unit)| micros >= *unit && micros.is_multiple_of(*unit));
    Ok(match unit {
        _ if micros == 0 => "0s".to_owned(),
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None => format!("{micros}us"),
    })
}

/// Writes a value as TOML.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let bare = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let pair = |(key, value): (&String, &Value)| {
                let key = if bare(key) { key.clone() } else { Value::from(key.as_str()).to_string() };
                format!("{key} = {}", toml(value))
            };
            let pairs: Vec<String> = map.iter().map(pair).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        // A string of JSON is one of TOML, and so are its numbers and flags.
        other => other.to_string(),
    }
}

/// Writes the defaults of a table as a settings file has them.
pub(super) fn file(settings: &[Setting]) -> String {
    let line = |setting: &Setting| Some(format!("{} = {}\n", setting.name, toml(setting.default.as_ref()?)));
    settings.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_their_largest_whole_unit() {
        let written =
            ["0ns", "900s", "1.5s", "7776000s", "100ms", "90s", "50µs"].map(|shown| time(shown).unwrap());

        assert_eq!(written, ["0s", "15m", "1500ms", "90d", "100ms", "90s", "50us"]);
        assert!(time("soon").is_err());
    }

    #[test]
    fn a_value_is_written_as_toml() {
        let value = serde_json::json!({"a": [1, "x\"y"], "ü": {"b": true}, "c": {}});

        assert_eq!(toml(&value), r#"{ a = [1, "x\"y"], c = {}, "ü" = { b = true } }"#);
    }
}
