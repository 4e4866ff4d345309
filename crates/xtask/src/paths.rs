//! `proto/paths.toml`: which service answers which public path.

use std::{fs, path::Path};

use serde::Deserialize;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) path: Vec<Entry>,
}

/// One line of the table: `exact` or `prefix`, and who answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) exact: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) service: String,
    /// Whether the interface description has it; false for a protocol of its own.
    #[serde(default = "yes")]
    pub(crate) described: bool,
    /// Whether all requests of a client have to come to the same process.
    #[serde(default)]
    pub(crate) sticky: bool,
}

fn yes() -> bool {
    true
}

/// The service name of entries that every process answers by itself.
pub(crate) const ANY: &str = "any";

impl Table {
    /// Reads the table of the checkout at `root`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(root.join("proto/paths.toml"))
            .map_err(|error| format!("proto/paths.toml: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("proto/paths.toml: {error}"))
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        self.exact.as_deref().or(self.prefix.as_deref()).unwrap_or_default()
    }

    /// How well this entry fits a path: exact beats prefix, a longer prefix beats a shorter one.
    pub(crate) fn fits(&self, path: &str) -> Option<usize> {
        let below = |prefix: &str| {
            path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        match (&self.exact, &self.prefix) {
            (Some(exact), _) if exact == path => Some(usize::MAX),
            (None, Some(prefix)) if below(prefix) => Some(prefix.len()),
            _ => None,
        }
    }
}
