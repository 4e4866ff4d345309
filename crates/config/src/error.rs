//! What can be wrong with settings, told without showing any value.

use std::fmt;
use std::io;
use std::path::PathBuf;

use figment::error::{Actual, Kind};

/// Why settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("settings file {}: {source}", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The settings file is not TOML.
    #[error("settings file {}: {message}", path.display())]
    Syntax {
        /// The file read.
        path: PathBuf,
        /// Line, column and reason; never the line itself.
        message: String,
    },
    /// Values are unknown, missing or of the wrong kind; all that were found.
    #[error("{}", list(.0))]
    Invalid(Vec<Fault>),
}

impl ConfigError {
    /// Makes the error of one fault found by a `validate()`; `place` is the dotted name, such as `mailbox.ttl`.
    #[must_use]
    pub fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::new(place, problem)])
    }

    /// The faults of settings that could be read; empty for the other variants.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Invalid(faults) => faults,
            Self::Unreadable { .. } | Self::Syntax { .. } => &[],
        }
    }
}

/// One thing wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The dotted name of the setting, such as `sms_gateway.smsc.0.port`.
    pub place: String,
    /// The file or variable that set it, if something did.
    pub source: Option<String>,
    /// What is wrong, as a phrase without the value.
    pub problem: String,
}

impl Fault {
    /// Makes a fault without a source.
    #[must_use]
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), source: None, problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{} ({source}): {}", self.place, self.problem),
            None => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("; ")
}

/// Tells a deserialization failure in words. `values` are the texts at the place of the failure: a free-form
/// message of a foreign type may quote them, so they are cut out.
pub(crate) fn describe(kind: &Kind, values: &[String]) -> String {
    match kind {
        Kind::Message(text) => values
            .iter()
            .filter(|value| !value.is_empty())
            .fold(text.clone(), |text, value| text.replace(value.as_str(), "[value]")),
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("expected {expected}, found {}", name_of(actual))
        }
        Kind::InvalidLength(length, expected) => format!("expected {expected}, found {length} items"),
        Kind::UnknownVariant(_, expected) => format!("expected {}", one_of(expected)),
        Kind::UnknownField(_, expected) => format!("unknown field, expected {}", one_of(expected)),
        Kind::MissingField(field) => format!("the field `{field}` is missing"),
        Kind::DuplicateField(field) => format!("the field `{field}` is given twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "the number is out of range".to_owned(),
        Kind::Unsupported(actual) => format!("{} is not supported here", name_of(actual)),
        Kind::UnsupportedKey(_, expected) => format!("a key must be {expected}"),
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        several => format!("one of `{}`", several.join("`, `")),
    }
}

/// The kind of a value; figment's own `Display` would print the value.
fn name_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "another integer",
        Actual::Float(_) => "a float",
        Actual::Char(_) | Actual::Str(_) => "another string",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}
