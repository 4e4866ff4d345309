//! The layers, merged into one tree that remembers where each value came from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

use crate::error::{ConfigError, Fault};

/// What an environment variable of ours begins with; `__` separates section and field.
const PREFIX: &str = "SEALPOST__";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Filled in by the program, because nothing else set it (a secret that the standalone made).
    Program(String),
    /// The settings file of this name.
    File(String),
    /// The environment variable of this name.
    Variable(String),
    /// The command line.
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(what) => f.write_str(what),
            Self::File(name) => write!(f, "file {name}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// Settings from all layers, not yet typed.
#[derive(Clone)]
pub struct Config {
    pub(crate) root: Dict,
    /// Where each value that was *not* in the file came from, by dotted path; the file's are implied.
    origins: BTreeMap<String, Origin>,
    file: Option<String>,
}

impl std::fmt::Debug for Config {
    /// Names the sections; a value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sections: Vec<&String> = self.root.keys().collect();
        f.debug_struct("Config")
            .field("file", &self.file)
            .field("sections", &sections)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Merges `file` < `env` < `overrides`. Of `env` (usually [`std::env::vars`]) only the variables that begin with
    /// `SEALPOST__` count; a number between the separators is a place in a list (`…__SMSC__0__PASSWORD`).
    /// `overrides` are dotted paths with their values, such as `("http.listen", "127.0.0.1:0")`.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] or [`ConfigError::Syntax`] for the file, [`ConfigError::Invalid`] for a variable
    /// that names no section and field.
    pub fn load<E, O>(file: Option<&Path>, env: E, overrides: O) -> Result<Self, ConfigError>
    where
        E: IntoIterator<Item = (String, String)>,
        O: IntoIterator<Item = (String, String)>,
    {
        let mut config = Self { root: Dict::new(), origins: BTreeMap::new(), file: None };
        if let Some(path) = file {
            config.root = read_toml(path)?;
            config.file = Some(path.display().to_string());
        }

        let mut faults = Vec::new();
        // Sorted, so that the elements of a list arrive in order whatever the order of the environment.
        let variables: BTreeMap<String, String> =
            env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        for (name, value) in variables {
            let path = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
            if let Err(problem) = config.set(&path, value, Origin::Variable(name.clone())) {
                faults.push(Fault { place: path, source: Some(name), problem });
            }
        }
        for (path, value) in overrides {
            if let Err(problem) = config.set(&path, value, Origin::Flag) {
                faults.push(Fault { place: path, source: Some(Origin::Flag.to_string()), problem });
            }
        }
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(faults)) }
    }

    /// Sets `path` unless some layer set it (or its `…_file` form) already; `source` says in words where the value
    /// is kept. Tells whether it was used. For secrets that the standalone makes at its first start.
    pub fn fill(&mut self, path: &str, value: &str, source: &str) -> bool {
        if self.is_set(path) {
            return false;
        }
        self.set(path, value.to_owned(), Origin::Program(source.to_owned())).is_ok()
    }

    /// Whether a layer above the defaults sets `path`, itself or as `…_file`.
    #[must_use]
    pub fn is_set(&self, path: &str) -> bool {
        let found = |path: &str| find(&self.root, &segments(path)).is_some();
        found(path) || found(&format!("{path}_file"))
    }

    /// Where the value at the dotted `path` came from; `None` when its default holds.
    #[must_use]
    pub fn origin(&self, path: &str) -> Option<Origin> {
        let mut prefix = path;
        loop {
            if let Some(origin) = self.origins.get(prefix) {
                return Some(origin.clone());
            }
            match prefix.rsplit_once('.') {
                Some((shorter, _)) => prefix = shorter,
                None => break,
            }
        }
        let file = self.file.as_ref()?;
        find(&self.root, &segments(path)).map(|_| Origin::File(file.clone()))
    }

    /// Takes what is set in the section `other` for what is set in `section`: a name that the documents of a known system
    /// have for it. Faults in it are told under the name `section`, with the place where it is written.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every field that is set under both names: neither could be told to be the newer one.
    pub fn rename_section(&mut self, other: &str, section: &str) -> Result<(), ConfigError> {
        let fields = match self.root.remove(other) {
            None => return Ok(()),
            Some(Value::Dict(_, fields)) => fields,
            Some(_) => return Err(ConfigError::invalid(other, "expected a table")),
        };
        let place = self.root.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
        let Value::Dict(_, table) = place else {
            return Err(ConfigError::invalid(section, "expected a table"));
        };
        let mut faults = Vec::new();
        for (field, value) in fields {
            match table.entry(field) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(set) => {
                    let field = set.key();
                    let both = format!("is set as {section}.{field}, too");
                    faults.push(Fault::new(format!("{other}.{field}"), both));
                }
            }
        }
        let below = format!("{other}.");
        let moved = std::mem::take(&mut self.origins).into_iter().map(|(path, origin)| {
            let renamed = path.strip_prefix(&below).map(|field| format!("{section}.{field}"));
            (renamed.unwrap_or(path), origin)
        });
        self.origins = moved.collect();
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }

    /// Refuses a section that no part of the product knows: a typing error in a section's name would otherwise leave
    /// its settings without effect. `known` may hold nested names such as `compat.woosh`.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every unknown section.
    pub fn reject_unknown_sections(&self, known: &[&str]) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        for (name, value) in &self.root {
            if known.contains(&name.as_str()) {
                continue;
            }
            let nested: Vec<&str> = known
                .iter()
                .filter_map(|known| known.strip_prefix(name.as_str())?.strip_prefix('.'))
                .collect();
            match value {
                Value::Dict(_, children) if !nested.is_empty() => faults.extend(
                    children
                        .keys()
                        .filter(|child| !nested.contains(&child.as_str()))
                        .map(|child| self.unknown_section(&format!("{name}.{child}"))),
                ),
                _ => faults.push(self.unknown_section(name)),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }

    fn unknown_section(&self, place: &str) -> Fault {
        // The tree below may come from several variables; one of them is enough to find the mistake.
        let below = format!("{place}.");
        let variable =
            self.origins.iter().find(|(path, _)| path.starts_with(&below)).map(|(_, origin)| origin);
        let source = variable.cloned().or_else(|| self.origin(place)).map(|origin| origin.to_string());
        Fault { place: place.to_owned(), source, problem: "unknown section".to_owned() }
    }

    fn set(&mut self, path: &str, value: String, origin: Origin) -> Result<(), String> {
        let segments = segments(path);
        if segments.len() < 2 || segments.iter().any(|segment| segment.is_empty()) {
            return Err("names no section and field".to_owned());
        }
        put(&mut self.root, &segments, Value::from(value))?;
        self.origins.insert(path.to_owned(), origin);
        Ok(())
    }
}

/// Splits a dotted path.
pub(crate) fn segments(path: &str) -> Vec<&str> {
    path.split('.').collect()
}

/// The value at `path`, through tables and lists.
pub(crate) fn find<'a>(root: &'a Dict, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(*first)?, |value, segment| match value {
        Value::Dict(_, dict) => dict.get(*segment),
        Value::Array(_, items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Puts `value` at `path`; makes the tables on the way, and replaces what stands there.
fn put(table: &mut Dict, path: &[&str], value: Value) -> Result<(), String> {
    match path {
        [] => Ok(()),
        [last] => {
            table.insert((*last).to_owned(), value);
            Ok(())
        }
        [first, rest @ ..] => {
            let slot = table.entry((*first).to_owned()).or_insert_with(|| Value::from(Dict::new()));
            put_below(slot, rest, value)
        }
    }
}

fn put_below(slot: &mut Value, path: &[&str], value: Value) -> Result<(), String> {
    if let (Value::Array(_, items), [index, rest @ ..]) = (&mut *slot, path) {
        let index: usize = index.parse().map_err(|_| "expected the place in a list".to_owned())?;
        if index == items.len() {
            items.push(Value::from(Dict::new()));
        }
        let item = items.get_mut(index).ok_or_else(|| "is past the end of the list".to_owned())?;
        if rest.is_empty() {
            *item = value;
            return Ok(());
        }
        return put_below(item, rest, value);
    }
    // A list that only the environment makes begins at 0.
    if let (Value::Dict(_, dict), [first, ..]) = (&*slot, path)
        && dict.is_empty()
        && *first == "0"
    {
        *slot = Value::from(Vec::<Value>::new());
        return put_below(slot, path, value);
    }
    if !matches!(slot, Value::Dict(..)) {
        *slot = Value::from(Dict::new());
    }
    match slot {
        Value::Dict(_, dict) => put(dict, path, value),
        _ => Ok(()),
    }
}

fn read_toml(path: &Path) -> Result<Dict, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    Figment::from(Toml::string(&text)).extract::<Dict>().map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: without_excerpt(&error.kind.to_string()),
    })
}

/// Drops the quoted source lines of a TOML error (`3 | password = "…`): they may hold a secret.
fn without_excerpt(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .filter(|line| {
            !line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
        })
        .collect();
    lines.join(": ")
}
